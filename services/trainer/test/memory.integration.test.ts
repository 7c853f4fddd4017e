import { expect } from '@jest/globals';
import type { FineTuningEstimate } from '@tunefleet/contracts';
import { rows } from './dataset-stand-in.js';
import { BODY, useFleet } from './use-fleet.js';
import { ended } from './wait.js';

const { fleet, test } = useFleet(({ dataset }) => dataset.add('file-train', rows(40)));
type Refusal = { error: { code: string; param: string | null; message: string } };

/** What pods are declared to have, trainer and pod alike. */
async function declare(bytes: number): Promise<void> {
  for (const name of ['trainer', 'trainer-pod'] as const) {
    await fleet.end(name, 'SIGTERM');
    await fleet.run(name, { TUNEFLEET_POD_MEMORY_BYTES: String(bytes) });
  }
}

test('a job that no pod has the memory for fails once its rows are known, before any training process starts', async () => {
  const estimate = (await fleet.api<FineTuningEstimate>('POST', '/estimate', BODY)).body;
  await declare(estimate.peak_memory_bytes - 1e6);
  const job = await ended(fleet, await fleet.create(BODY));
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
  const events = await fleet.events(job.id);
  expect(events.map(({ message }) => message).filter((message) => /started|queued|running/i.test(message))).toEqual([]);
  expect(fleet.logs.get('trainer-pod')).not.toContain(job.id);
  expect(fleet.trainingPids()).toEqual([]);
  const refused = await fleet.api<Refusal>('POST', '/estimate', BODY);
  expect([refused.status, refused.body.error]).toMatchObject([400, job.error as object]);
}, 60_000);

test('one that fits exactly is trained', async () => {
  await declare(20e9);
  const { peak_memory_bytes } = (await fleet.api<FineTuningEstimate>('POST', '/estimate', BODY)).body;
  await declare(peak_memory_bytes);
  expect((await ended(fleet, await fleet.create(BODY))).status).toBe('succeeded');
}, 60_000);

test('where lean is not enough either, the error says what else to reduce', async () => {
  await declare(1);
  const { error } = await ended(fleet, await fleet.create({ ...BODY, tunefleet: { memory: 'lean' } }));
  expect(error).toMatchObject({ code: 'insufficient_memory', param: null, message: expect.stringContaining('use a smaller base') });
}, 60_000);
