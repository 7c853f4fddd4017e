import { expect, test } from '@jest/globals';
import { GraphBuilder, graphOf, matmul, reduceSum, relu, reshape } from '../src/index.js';
import { emit } from '../src/lowering/emit.js';

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
