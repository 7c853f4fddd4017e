import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { cancelJobs, chatRows, events, type Job, jobEnds, smallJob, until, upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
let file = '';

beforeAll(async () => {
  file = (await upload(client, chatRows(48))).id;
});

afterAll(() => cancelJobs(client));

const long = (): Promise<Job> =>
  client.fineTuning.jobs.create(
    smallJob(file, { method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 50, batch_size: 4 } } } }),
  ) as unknown as Promise<Job>;
const running = (id: string): Promise<Job> =>
  until(
    async () => (await client.fineTuning.jobs.retrieve(id)) as Job,
    (job) => job.status === 'running',
    60,
  );

test('a running job says when it may be done; cancel is immediate in the record', async () => {
  const job = await long();
  await running(job.id);
  const estimating = await until(
    () => client.fineTuning.jobs.retrieve(job.id),
    (j) => j.estimated_finish !== null,
    30,
  );
  expect(estimating.estimated_finish).toBeGreaterThan(job.created_at);
  expect((await client.fineTuning.jobs.cancel(job.id)).status).toBe('cancelled');
  expect((await client.fineTuning.jobs.retrieve(job.id)).status).toBe('cancelled');
}, 90_000);

test('pause, resume and finish with the bytes of a job that ran through', async () => {
  const settings = { method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 6, batch_size: 4 } } } };
  const job = await client.fineTuning.jobs.create(smallJob(file, settings));
  await until(
    async () => (await raw('GET', `/fine_tuning/jobs/${job.id}/metrics`)).body['data'] as unknown[],
    (rows) => rows.length >= 3,
    60,
  );
  expect(['pausing', 'paused']).toContain((await client.fineTuning.jobs.pause(job.id)).status);
  const paused = await until(
    () => client.fineTuning.jobs.retrieve(job.id),
    (j) => (j.status as string) === 'paused',
    30,
  );
  expect(paused.status as string).toBe('paused');
  expect((await client.fineTuning.jobs.resume(job.id)).status).toBe('queued');
  const [one, other] = await Promise.all([
    jobEnds(client, job.id),
    client.fineTuning.jobs.create(smallJob(file, settings)).then((j) => jobEnds(client, j.id)),
  ]);
  const sha = async (j: Job): Promise<string> =>
    ((await client.models.retrieve(j.fine_tuned_model ?? '')) as never as { tunefleet: { weights_sha256: string } }).tunefleet
      .weights_sha256;
  expect(await sha(one)).toBe(await sha(other));
  expect((await events(client, one.id)).filter((e) => e.type === 'metrics')).toHaveLength(72);
}, 240_000);

test('a queued job says why it waits and its place; pausing it goes straight to paused', async () => {
  const first = await long();
  await running(first.id);
  const second = await long();
  const queued = await until(
    async () => (await client.fineTuning.jobs.retrieve(second.id)) as Job,
    (job) => job.status === 'queued',
    30,
  );
  expect(queued.tunefleet.waiting).toMatchObject({ reason: expect.any(String), place: 1 });
  expect((await client.fineTuning.jobs.pause(second.id)).status).toBe('paused');
  await client.fineTuning.jobs.cancel(second.id);
  await client.fineTuning.jobs.cancel(first.id);
}, 120_000);

coversInventory('job-moves.test.ts');
