import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { FineTuningJob, MetricsRow } from '@tunefleet/contracts';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/nats-server.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { Fleet } from './fleet.js';
import { ended, type List, until } from './wait.js';

const shared = process.env['TUNEFLEET_SHARED'] ?? join(import.meta.dirname, '../../../../shared');
const base = join(shared, 'data/models/stories260K-hf');
const test =
  natsServerPath() === undefined ? skipUnless(false, NATS_MISSING) : skipUnless(existsSync(base), `TUNEFLEET_SHARED: no model at ${base}`);
let fleet: Fleet;

beforeAll(async () => {
  if (natsServerPath() !== undefined && existsSync(base)) fleet = await Fleet.start(base);
}, 60_000);
afterAll(async () => {
  await fleet?.close();
});

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
  const { body, status } = await fleet.api<FineTuningJob>('POST', '/jobs', {
    model: 'tiny',
    training_file: file,
    hyperparameters: { n_epochs: 1, batch_size: 16 },
    tunefleet: { micro_batch_size: 16 },
  });
  expect(status).toBe(200);
  await until(async () => (await fleet.api<List<MetricsRow>>('GET', `/jobs/${body.id}/metrics`)).body.data.length > 0, 'the first step');
  const seconds = (Date.now() - created) / 1000;
  expect(seconds).toBeLessThan(5);
  const job = await ended(fleet, body.id);
  expect(job).toMatchObject({ status: 'succeeded', tunefleet: { task: 'chat' } });
  expect(job.result_files).toHaveLength(1);
}, 90_000);

test('a bad row fails the job with its code, line and param', async () => {
  const bad = `${chat(12)}\n{"messages": [{"role": "user", "content": "no answer"}]}`;
  const { body } = await fleet.api<FineTuningJob>('POST', '/jobs', { model: 'tiny', training_file: await fleet.upload('bad.jsonl', bad) });
  expect(await ended(fleet, body.id)).toMatchObject({
    status: 'failed',
    error: { code: 'missing_assistant', param: 'training_file', message: expect.stringContaining('13') },
  });
}, 30_000);
