import { expect, test } from '@jest/globals';
import { concat, evaluate, exp, GraphBuilder, gradients, graphOf, mul, printGraph, reduceSum, slice } from '../../src/index.js';
import { join } from '../../src/passes/join.js';

test('the gradients of slices that cover a tensor are concatenated, not padded and added', () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', [5, 'n']);
  const parts = [slice(x, 0, 0, 2), slice(x, 0, 2, 3), slice(x, 0, 3, 5)] as const;
  const y = concat([mul(parts[0], 2), exp(parts[1]), mul(parts[2], parts[2])], 0);
  const [dx] = gradients(reduceSum(mul(y, y)), [x]);
  const before = graphOf({ dx });
  const after = join(before);
  const count = (name: string, graph = after): number => graph.values.filter(({ op }) => op.name === name).length;
  // One of y, one of dy's parts.
  expect([count('pad', before), count('pad'), count('concat')]).toEqual([3, 0, 2]);
  const feeds = { x: { shape: [5, 2], data: Float32Array.from({ length: 10 }, (_, at) => Math.fround(Math.sin(at))) } };
  expect(evaluate(after.outputs, feeds)['dx']).toEqual(evaluate(before.outputs, feeds)['dx']);
});

test('slices that overlap or leave a gap keep their sum', () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', [5]);
  for (const [end, start] of [
    [3, 2],
    [2, 3],
  ]) {
    const [dx] = gradients(mul(reduceSum(slice(x, 0, 0, end!)), reduceSum(slice(x, 0, start!, 5))), [x]);
    expect(printGraph(join(graphOf({ dx })))).toContain('add(');
  }
});
