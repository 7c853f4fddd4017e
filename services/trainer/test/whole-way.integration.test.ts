import { join } from 'node:path';
import { expect } from '@jest/globals';
import { useFleet } from './use-fleet.js';
import { ended, until } from './wait.js';

const shared = process.env['TUNEFLEET_SHARED'] ?? join(import.meta.dirname, '../../../../shared');
// Nothing is to be prepared: its dataset is the real one.
const { fleet, test } = useFleet(() => undefined, { base: join(shared, 'data/models/stories260K-hf') });

const chat = (rows: number): string =>
  Array.from({ length: rows }, (_, i) =>
    JSON.stringify({
      messages: [
        { role: 'user', content: `Tell me a story about animal number ${i}.` },
        { role: 'assistant', content: `Once upon a time there were ${i} little cats.` },
      ],
    }),
  ).join('\n');

test('a file goes through dataset, its rows through training; the first step comes within 5 s of the job', async () => {
  const file = await fleet.upload('rows.jsonl', chat(1000));
  const created = Date.now();
  const id = await fleet.create({
    model: 'tiny',
    training_file: file,
    hyperparameters: { n_epochs: 1, batch_size: 16 },
    tunefleet: { micro_batch_size: 16 },
  });
  await until(async () => (await fleet.metrics(id)).length > 0, 'the first step');
  const seconds = (Date.now() - created) / 1000;
  expect(seconds).toBeLessThan(5);
  const job = await ended(fleet, id);
  expect(job).toMatchObject({ status: 'succeeded', tunefleet: { task: 'chat' } });
  expect(job.result_files).toHaveLength(1);
}, 90_000);

test('a bad row fails the job with its code, line and param', async () => {
  const bad = `${chat(12)}\n{"messages": [{"role": "user", "content": "no answer"}]}`;
  const id = await fleet.create({ model: 'tiny', training_file: await fleet.upload('bad.jsonl', bad) });
  expect(await ended(fleet, id)).toMatchObject({
    status: 'failed',
    error: { code: 'missing_assistant', param: 'training_file', message: expect.stringContaining('13') },
  });
}, 30_000);
