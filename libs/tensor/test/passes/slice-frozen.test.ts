import { expect, test } from '@jest/globals';
import { add, compile, concat, evaluate, GraphBuilder, graphOf, matmul, slice } from '../../src/index.js';
import { sliceFrozen } from '../../src/passes/slice-frozen.js';

const data = Float32Array.from({ length: 15 }, (_, at) => at);

test('rows of a frozen weight are read from their own place', async () => {
  const g = new GraphBuilder();
  const w = g.frozen('w', [5, 3], { data });
  const x = g.input('x', 'f32', [2, 3]);
  const parts = [slice(w, 0, 0, 2), slice(w, 0, 2, 5)] as const;
  const y = concat([matmul(x, parts[0], { transB: true }), matmul(x, parts[1], { transB: true })], 1);
  const after = sliceFrozen(graphOf({ y }));
  expect(after.values.map(({ op }) => op.name)).not.toContain('slice');
  const feeds = { x: { shape: [2, 3], data: Float32Array.of(1, 0, 2, 0, 1, 0) } };
  const expected = evaluate({ y }, feeds)['y'];
  expect(evaluate(after.outputs, feeds)['y']).toEqual(expected);
  const executable = await compile({ outputs: { y } });
  expect([...(await executable.run(feeds))['y']!.data]).toEqual([...expected!.data]);
  await executable.release();
});

test('columns, and rows that were asked for before, stay slices', () => {
  const g = new GraphBuilder();
  const w = g.frozen('w', [5, 3], { data });
  const y = add(slice(w, 1, 0, 2), slice(w, 1, 1, 3));
  expect(sliceFrozen(graphOf({ y })).values.filter(({ op }) => op.name === 'slice')).toHaveLength(2);
  const z = add(slice(w, 0, 0, 2), slice(w, 0, 0, 2));
  expect(sliceFrozen(graphOf({ z })).values.filter(({ op }) => op.name === 'slice')).toHaveLength(1);
});
