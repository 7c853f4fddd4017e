import { expect, jest, test } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { expected, type ModelName, recording, relative, rowsOf, specOf } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const cases: [ModelName, 'full' | 'lora'][] = [
  ['tiny-llama', 'full'],
  ['tiny-tied', 'full'],
  ['tiny-llama', 'lora'],
  ['tiny-tied', 'lora'],
];

test.each(cases)('20 steps of %s, %s, follow the curve of PyTorch and PEFT', async (name, adapter) => {
  const hooks = recording();
  await train(await specOf(name, adapter), rowsOf(expected.rows), null, null, hooks);
  const curve = expected[name][adapter];
  expect(hooks.rows).toHaveLength(curve.length);
  const errors = hooks.rows.map((row, step) => relative(row.train_loss, curve[step]!.loss));
  expect(Math.max(...errors)).toBeLessThan(1e-4);
  expect(hooks.rows.map((row) => row.train_accuracy)).toEqual(curve.map((point) => expect.closeTo(point.accuracy, 12)));
  expect(hooks.rows.map((row) => row.learning_rate)).toEqual(curve.map((point) => expect.closeTo(point.rate, 12)));
});

test.each(['full', 'lora'] as const)('micro-batches of 8, 4, 2 and 1 (no packing) give one curve, %s', async (adapter) => {
  const curves = [];
  for (const micro_batch_size of [8, 4, 2, 1]) {
    const hooks = recording();
    await train(await specOf('tiny-llama', adapter, { micro_batch_size }), rowsOf(expected.rows), null, null, hooks);
    curves.push(hooks.rows.map((row) => row.train_loss));
  }
  const [whole, ...parts] = curves;
  for (const part of parts) for (const [step, loss] of part.entries()) expect(relative(loss, whole![step]!)).toBeLessThan(1e-5);
});

test.each(['full', 'lora'] as const)('lean memory gives the curve of fast, and the same figures each time, %s', async (adapter) => {
  const curves = [];
  for (const memory of ['fast', 'lean', 'lean'] as const) {
    const hooks = recording();
    await train(await specOf('tiny-llama', adapter, { memory }), rowsOf(expected.rows), null, null, hooks);
    curves.push(hooks.rows.map((row) => row.train_loss));
  }
  const [fast, lean, again] = curves;
  for (const [step, loss] of lean!.entries()) expect(relative(loss, fast![step]!)).toBeLessThan(1e-5);
  expect(again).toEqual(lean);
});
