import { expect, test } from '@jest/globals';
import { add, evaluate, GraphBuilder, gather, gradients, graphOf, matmul, mul, reduceSum } from '../../src/index.js';
import { mergeScatters } from '../../src/passes/scatter.js';

test('the gradient of a tied table is one scatter into the product’s gradient', () => {
  const g = new GraphBuilder();
  const table = g.parameter('table', [5, 2]);
  const ids = g.input('ids', 'i32', ['n']);
  const targets = g.input('targets', 'i32', ['m']);
  const x = gather(table, ids);
  const logits = matmul(x, table, { transB: true });
  const picked = gather(table, targets);
  const [gradient] = gradients(add(reduceSum(mul(logits, logits)), reduceSum(mul(picked, picked))), [table]);
  const before = graphOf({ gradient });
  const after = mergeScatters(before);
  const count = (name: string, graph: typeof after): number => graph.values.filter(({ op }) => op.name === name).length;
  expect([count('scatterAddRows', before), count('scatterAddRows', after)]).toEqual([2, 1]);
  const feeds = {
    table: Float32Array.from({ length: 10 }, (_, at) => Math.fround(Math.sin(at))),
    ids: Int32Array.of(1, 3, 1),
    targets: Int32Array.of(3, 0, 3, 4),
  };
  const [found, wanted] = [evaluate(after.outputs, feeds)['gradient']!, evaluate(before.outputs, feeds)['gradient']!];
  for (const [at, element] of wanted.data.entries()) expect(found.data[at]).toBeCloseTo(element, 12);
});
