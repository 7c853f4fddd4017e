import { expect, test } from '@jest/globals';
import { add, broadcastTo, evaluate, GraphBuilder, graphOf, mul, type Value } from '../../src/index.js';
import { spread } from '../../src/passes/spread.js';

/** How many repetitions are left; the meaning stays. */
const left = (build: (x: Value, row: Value) => Value): number => {
  const g = new GraphBuilder();
  const y = build(g.input('x', 'f32', ['n', 3]), g.input('row', 'f32', [1, 3]));
  const after = spread(graphOf({ y }));
  const feeds = { x: Float32Array.of(1, 2, 3, 4, 5, 6), row: Float32Array.of(7, 8, 9) };
  expect(evaluate(after.outputs, feeds)).toEqual(evaluate({ y }, feeds));
  return after.values.filter(({ op }) => op.name === 'broadcastTo').length;
};

test('arithmetic reads what was repeated for it as it was', () => {
  expect(left((x, row) => mul(broadcastTo(row, ['n', 3]), x))).toBe(0);
  expect(left((x, row) => add(x, broadcastTo(row, ['n', 3])))).toBe(0);
});

test('where nothing else has the full shape, one repetition stays', () => {
  expect(left((x, row) => add(mul(broadcastTo(row, ['n', 3]), broadcastTo(row, ['n', 3])), x))).toBe(1);
});
