import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { float32Tensor, llamaTensorShapes, openLlamaFolder, writeLlamaFolder } from '@tunefleet/model-formats';
import { train } from '../src/loop/train.js';
import { readManifest } from '../src/snapshot/manifest.js';
import type { TrainingSpec } from '../src/spec.js';
import { expected, folderOf, recording, relative, rowsOf, specOf, workFolder } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

test('a loss that is no number stops the run and names the rows', async () => {
  const rows = expected.rows.map((row, index) => (index === 10 ? { ...row, weights: row.weights.map(() => Number.NaN) } : row));
  const hooks = recording();
  const run = train(await specOf('tiny-llama', 'full', { micro_batch_size: 2 }), rowsOf(rows), null, null, hooks);
  await expect(run).rejects.toMatchObject({ code: 'non_finite', rows: [10, 11], message: expect.stringContaining('rows 10, 11') });
  expect(hooks.rows).toHaveLength(1);
});

const poisoned = (isBad: (row: number) => boolean, weight: number) =>
  rowsOf(expected.rows.map((row, index) => (isBad(index) ? { ...row, weights: row.weights.map(() => weight) } : row)));
const skipping = async (changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> => {
  const spec = await specOf('tiny-llama', 'full', { batch_size: 8, micro_batch_size: 2, ...changes });
  return { ...spec, optimizer: { ...spec.optimizer, non_finite: 'skip' } };
};

test('a step whose loss is no finite number is skipped if so set: only the step is counted', async () => {
  const spec = await skipping({ max_steps: 4, snapshot: { every_steps: 1, keep: 10 } });
  const hooks = recording();
  const source = poisoned((row) => row === 10, Number.NaN);
  await train(spec, source, null, null, hooks);
  expect(hooks.rows.map(({ skipped }) => skipped)).toEqual([undefined, { quantity: 'loss', rows: [10, 11] }, undefined, undefined]);
  // Of the micro-batch before the fault.
  expect(hooks.rows[1]!.train_loss).toBeGreaterThan(0);
  const [before, after, third] = await Promise.all([1, 2, 3].map((step) => readManifest(join(spec.folder, 'snapshots', String(step)))));
  expect(after!.files).toEqual(before!.files);
  expect(after).toMatchObject({ step: 2, optimizer: { step: before!.optimizer.step }, skipped_in_a_row: 1 });
  expect(third!.skipped_in_a_row).toBe(0);
});

/** A base whose hidden states are so large, and whose head so small, that the loss is as ever and the head's gradient overflows. */
async function overflowing(): Promise<string> {
  const folder = await workFolder();
  const { config, weights } = await openLlamaFolder(folderOf('tiny-llama'));
  const tensors = [...llamaTensorShapes(config)].map(async ([name, shape]) => {
    const factor = name === 'model.norm.weight' ? 1e37 : name === 'lm_head.weight' ? 1e-37 : 1;
    return float32Tensor(
      name,
      shape,
      (await weights.float32(name)).map((element) => element * factor),
    );
  });
  await writeLlamaFolder(join(folder, 'base'), config, await Promise.all(tensors));
  await weights.close();
  return join(folder, 'base');
}

test('a gradient that overflows where the loss does not stops the run, or is skipped, and names the rows of the whole batch', async () => {
  const base = await overflowing();
  const rows = [0, 1, 2, 3, 4, 5, 6, 7];
  const weighty = rowsOf(expected.rows.map((row) => ({ ...row, weights: row.weights.map((weight) => weight * 1000) })));
  const hooks = recording();
  await train(await skipping({ base, max_steps: 1 }), weighty, null, null, hooks);
  expect(hooks.rows).toMatchObject([{ skipped: { quantity: 'gradient', rows } }]);
  expect(relative(hooks.rows[0]!.train_loss, expected['tiny-llama'].full[0]!.loss)).toBeLessThan(1e-4);
  const stopping = train(await specOf('tiny-llama', 'full', { base, max_steps: 1 }), weighty, null, null, recording());
  await expect(stopping).rejects.toMatchObject({ code: 'non_finite', rows, message: expect.stringContaining("the gradient's norm is") });
});

test('more than 10 skipped in a row end the run, also when it was paused among them', async () => {
  const spec = await skipping();
  const hooks = recording();
  hooks.shouldStop = () => (hooks.rows.length === 4 ? 'pause' : 'continue');
  const source = poisoned(() => true, Number.NaN);
  const { folder } = await train(spec, source, null, null, hooks);
  const rest = recording();
  const run = train(spec, source, null, folder, rest);
  await expect(run).rejects.toMatchObject({ code: 'non_finite', message: expect.stringContaining('10 steps before it were skipped') });
  expect([hooks.rows.length, rest.rows.length]).toEqual([4, 6]);
});

test('a batch in which nothing is trained on changes nothing but the moments', async () => {
  const rows = expected.rows.slice(0, 2).map((row) => ({ ...row, weights: row.weights.map(() => 0) }));
  const hooks = recording();
  await train(await specOf('tiny-llama', 'full', { epochs: 1, max_steps: null }), rowsOf(rows), null, null, hooks);
  expect(hooks.rows).toMatchObject([{ train_loss: 0, train_accuracy: 0 }]);
});

test.each([
  ['batch_size', { batch_size: 0 }],
  ['epochs', { epochs: 1.5 }],
  ['max_steps', { max_steps: 0 }],
  ['seed', { seed: -1 }],
  ['adapter.rank', { adapter: { type: 'lora', rank: 0, alpha: 1, dropout: 0, targets: 'all-linear' } }],
  ['adapter.dropout', { adapter: { type: 'lora', rank: 1, alpha: 1, dropout: 1, targets: 'all-linear' } }],
  ['adapter.rank is 2, the adapter to continue has 4', { adapter: { type: 'lora', rank: 2, alpha: 8, dropout: 0, targets: 'all-linear' } }],
] as const)('a spec is refused by the name of its setting: %s', async (name, changes) => {
  const run = train(await specOf('tiny-llama', 'lora', changes as object), rowsOf(expected.rows), null, null, recording());
  await expect(run).rejects.toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(name) });
});

test('a target that names no linear is refused', async () => {
  const { continueFrom, ...spec } = await specOf('tiny-llama', 'lora');
  expect(continueFrom).toBeDefined();
  const adapter = { type: 'lora' as const, rank: 2, alpha: 4, dropout: 0, targets: ['q_proj', 'c_attn'] };
  await expect(train({ ...spec, adapter }, rowsOf(expected.rows), null, null, recording())).rejects.toMatchObject({
    code: 'invalid_spec',
    message: expect.stringContaining('c_attn'),
  });
});

test('stop ends a run at once, without a snapshot', async () => {
  let asked = 0;
  const hooks = recording({ shouldStop: () => (asked++ < 5 ? 'continue' : 'stop') });
  const outcome = await train(await specOf('tiny-llama', 'full', { micro_batch_size: 2 }), rowsOf(expected.rows), null, null, hooks);
  expect(outcome).toMatchObject({ outcome: 'stopped', steps: 1 });
  expect(hooks.snapshots).toEqual([]);
});

test('messages of the process are handled between micro-batches', async () => {
  let turns = 0;
  let running = true;
  const count = (): void => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  await train(await specOf('tiny-llama', 'full', { micro_batch_size: 2, max_steps: 5 }), rowsOf(expected.rows), null, null, recording());
  running = false;
  expect(turns).toBeGreaterThanOrEqual(20);
});
