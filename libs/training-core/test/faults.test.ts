import { expect, jest, test } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { TrainingError } from '../src/spec.js';
import { expected, recording, rowsOf, specOf } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

test('a loss that is no number stops the run and names the rows', async () => {
  const rows = expected.rows.map((row, index) => (index === 10 ? { ...row, weights: row.weights.map(() => Number.NaN) } : row));
  const hooks = recording();
  const run = train(await specOf('tiny-llama', 'full', { micro_batch_size: 2 }), rowsOf(rows), null, null, hooks);
  await expect(run).rejects.toMatchObject({ code: 'non_finite', rows: [10, 11], message: expect.stringContaining('rows 10, 11') });
  expect(hooks.rows).toHaveLength(1);
});

test('a gradient that overflows stops the run and names the rows', async () => {
  const rows = expected.rows.map((row, index) => (index === 3 ? { ...row, weights: row.weights.map((weight) => weight * 1e38) } : row));
  const run = train(await specOf('tiny-llama', 'full'), rowsOf(rows), null, null, recording());
  await expect(run).rejects.toBeInstanceOf(TrainingError);
  await expect(run).rejects.toMatchObject({ code: 'non_finite', rows: expect.arrayContaining([3]) });
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
