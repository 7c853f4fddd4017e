import { expect, test } from '@jest/globals';
import { emit } from '../../src/emit/emit.js';
import { GraphBuilder, graphOf, matmul, reduceSum, relu, reshape } from '../../src/index.js';

test('the model tells the size of every value between inputs and outputs', () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', 4]);
  const y = relu(reshape(matmul(x, g.input('w', 'f32', [4, 6])), ['2*tokens', 3]));
  const { between, nodes } = emit(graphOf({ y: reduceSum(y, [0]), whole: y }));
  const bySize = Object.fromEntries(between.map(({ name, shape }) => [name, shape]));
  const sizeOf = (type: string) => bySize[nodes.find((node) => node.type === type)!.outputs[0]!];
  expect(sizeOf('MatMul')).toEqual(['tokens', 6]);
  expect(sizeOf('Reshape')).toEqual(['2*tokens', 3]);
  expect(Object.keys(bySize)).not.toContain('whole');
});

test('where layers are computed again, sizes of scores carry their part of the backward pass, so that no buffer waits for the next layer', () => {
  const shapesOf = (recomputed: boolean): unknown[] => {
    const g = new GraphBuilder();
    const [x, keys] = [g.input('x', 'f32', ['n', 4]), g.input('keys', 'f32', ['n', 4])];
    const scores = () => relu(matmul(x, keys, { transB: true }));
    const forward = g.scope('layers.0', scores);
    const again = g.scope(recomputed ? 'recomputed/layers.0/attention' : 'again', () => reduceSum(relu(scores()), [1]));
    const backward = g.scope('backward/layers.1/attention', () => reduceSum(relu(scores()), [1]));
    const { between } = emit(graphOf({ y: reduceSum(forward, [1]), again, backward }));
    return between.map(({ shape }) => shape.join());
  };
  const plain = shapesOf(false);
  const parts = shapesOf(true);
  expect(new Set(plain)).toEqual(new Set(['n,n']));
  expect(new Set(parts)).toEqual(
    new Set(['n,n', 'n@recomputed/layers.0,n@recomputed/layers.0', 'n@backward/layers.1,n@backward/layers.1']),
  );
});
