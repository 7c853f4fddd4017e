import { expect, test } from '@jest/globals';
import { emit } from '../../src/emit/emit.js';
import { addMatmul, after, GraphBuilder, graphOf, lower, matmul, reduceSum, relu, reshape, rope } from '../../src/index.js';

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

test('and of every tensor between the nodes of one value', () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', 2, 4]);
  const angles = (name: string) => g.input(name, 'f32', ['tokens', 2]);
  const turned = reshape(rope(x, angles('cos'), angles('sin')), ['tokens', 8]);
  const thin = addMatmul(relu(turned), g.input('a', 'f32', ['tokens', 2]), g.input('b', 'f32', [8, 2]), { transB: true });
  const y = reduceSum(after(thin, [reduceSum(x), reduceSum(x, [0])]));
  const { between, nodes, outputs } = emit(lower(graphOf({ y }), 'cpu'));
  const told = new Set([...between, ...outputs].map(({ name }) => name));
  const untold = nodes.filter(({ outputs: made }) => made.some((name) => !told.has(name))).map(({ type }) => type);
  // Sizes themselves, which ONNX Runtime knows the size of.
  expect(new Set(untold)).toEqual(new Set(['Shape', 'Concat', 'Add']));
  expect(nodes.map(({ type }) => type)).toEqual(expect.arrayContaining(['RotaryEmbedding', 'FusedConv', 'Compress']));
  const nothing = nodes
    .filter(({ type }) => type === 'Compress')
    .map(({ outputs: [name] }) => between.find((port) => port.name === name)!.shape);
  expect(nothing).toEqual([['nothing'], ['nothing']]);
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
