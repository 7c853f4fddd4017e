import { afterAll, beforeAll, expect } from '@jest/globals';
import type { FineTuningEstimate, FineTuningJob } from '@tunefleet/contracts';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/nats-server.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { rows } from './dataset-stand-in.js';
import { Fleet } from './fleet.js';
import { ended } from './wait.js';

const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
let fleet: Fleet;

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  fleet = await Fleet.start();
  fleet.dataset.add('file-train', rows(40));
}, 60_000);
afterAll(async () => {
  await fleet?.close();
});

const body = { model: 'tiny', training_file: 'file-train', hyperparameters: { n_epochs: 1, batch_size: 4 } };
type Refusal = { error: { code: string; param: string | null; message: string } };

/** What pods are declared to have, trainer and pod alike. */
async function declare(bytes: number): Promise<void> {
  for (const name of ['trainer', 'trainer-pod'] as const) {
    await fleet.end(name, 'SIGTERM');
    await fleet.run(name, { TUNEFLEET_POD_MEMORY_BYTES: String(bytes) });
  }
}

test('a job that no pod has the memory for fails once its rows are known, before any training process starts', async () => {
  const estimate = (await fleet.api<FineTuningEstimate>('POST', '/estimate', body)).body;
  await declare(estimate.peak_memory_bytes - 1e6);
  const { body: created, status } = await fleet.api<FineTuningJob>('POST', '/jobs', body);
  expect(status).toBe(200);
  const job = await ended(fleet, created.id);
  const needed = Math.ceil(estimate.peak_memory_bytes / 1e6);
  expect(job).toMatchObject({
    status: 'failed',
    error: {
      code: 'insufficient_memory',
      param: 'tunefleet.memory',
      message: `Training needs about ${needed} MB, and a training pod may use ${needed - 1} MB. 'tunefleet.memory': 'lean' needs less.`,
    },
  });
  // No pod took it: it never ran.
  const events = (await fleet.api<{ data: { message: string }[] }>('GET', `/jobs/${job.id}/events`)).body.data;
  expect(events.map(({ message }) => message).filter((message) => /started|queued|running/i.test(message))).toEqual([]);
  expect(fleet.logs.get('trainer-pod')).not.toContain(job.id);
  expect(fleet.trainingPids()).toEqual([]);
  const refused = await fleet.api<Refusal>('POST', '/estimate', body);
  expect([refused.status, refused.body.error]).toMatchObject([400, job.error as object]);
}, 60_000);

test('one that fits exactly is trained', async () => {
  await declare(20e9);
  const { peak_memory_bytes } = (await fleet.api<FineTuningEstimate>('POST', '/estimate', body)).body;
  await declare(peak_memory_bytes);
  const { id } = (await fleet.api<FineTuningJob>('POST', '/jobs', body)).body;
  expect((await ended(fleet, id)).status).toBe('succeeded');
}, 60_000);

test('where lean is not enough either, the error says what else to reduce', async () => {
  const lean = { ...body, tunefleet: { memory: 'lean' } };
  await declare(1);
  const { id } = (await fleet.api<FineTuningJob>('POST', '/jobs', lean)).body;
  const { error } = await ended(fleet, id);
  expect(error).toMatchObject({ code: 'insufficient_memory', param: null, message: expect.stringContaining('use a smaller base') });
}, 60_000);
