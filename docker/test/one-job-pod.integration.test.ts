import { afterAll, beforeAll, expect } from '@jest/globals';
import OpenAI from 'openai';
import { chatRows, type Job, jobEnds, smallJob, until, upload } from '../../acceptance/harness/data.js';
import { EnvironmentFleet } from '../../acceptance/harness/environment-fleet.js';
import { NATS_MISSING, natsServerPath, s3Missing } from '../../tools/jest/servers.js';
import { skipUnless } from '../../tools/jest/skip-unless.js';

// What k8s/base/trainer-pod-job.yaml starts: a pod told its job. Its exit code is what podFailurePolicy reads.
const missing = natsServerPath() === undefined ? NATS_MISSING : s3Missing();
const test = skipUnless(missing === undefined, missing ?? '');

let fleet: EnvironmentFleet;
let client: OpenAI;
let file: string;

beforeAll(async () => {
  if (missing !== undefined) return;
  fleet = await EnvironmentFleet.start({ replicas: { 'trainer-pod': 0 } });
  client = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: fleet.key, maxRetries: 0 });
  file = (await upload(client, chatRows(24))).id;
}, 90_000);

afterAll(async () => void (await fleet?.stop()), 60_000);

const retrieve = async (id: string): Promise<Job> => (await client.fineTuning.jobs.retrieve(id)) as Job;
const reaches = (id: string, status: string): Promise<Job> =>
  until(
    () => retrieve(id),
    (job) => job.status === status,
  );

async function queued(n_epochs: number, learning_rate_multiplier: number | 'auto' = 'auto'): Promise<string> {
  const hyperparameters = { n_epochs, batch_size: 4, learning_rate_multiplier };
  const { id } = await client.fineTuning.jobs.create(smallJob(file, { method: { type: 'supervised', supervised: { hyperparameters } } }));
  await reaches(id, 'queued');
  return id;
}

test('it claims its own job though another one is first in the queue, and exits 0', async () => {
  const [first, own] = [await queued(1), await queued(1)];
  const pod = await fleet.spawn('trainer-pod', { TUNEFLEET_JOB_ID: own });
  expect([await pod.exited(), pod.log]).toEqual([0, expect.any(String)]);
  expect((await jobEnds(client, own)).status).toBe('succeeded'); // what is registered after the pod's part
  expect((await retrieve(first)).status).toBe('queued');
  await client.fineTuning.jobs.cancel(first);
});

test('SIGTERM: it exits 143, and the next pod for the job goes on from the snapshot', async () => {
  const id = await queued(20);
  const pod = await fleet.spawn('trainer-pod', { TUNEFLEET_JOB_ID: id });
  await until(
    async () => (await client.fineTuning.jobs.listEvents(id)).data,
    (events) => events.some(({ type }) => type === 'metrics'),
  );
  expect([await pod.stop(), pod.log]).toEqual([143, expect.any(String)]);
  expect((await retrieve(id)).status).toBe('queued');
  const next = await fleet.spawn('trainer-pod', { TUNEFLEET_JOB_ID: id });
  expect([await next.exited(), next.log]).toEqual([0, expect.any(String)]);
  expect((await jobEnds(client, id)).status).toBe('succeeded');
});

test('a loss that is not finite: it exits 42, and the job has failed', async () => {
  const id = await queued(2, 1e38);
  const pod = await fleet.spawn('trainer-pod', { TUNEFLEET_JOB_ID: id });
  expect([await pod.exited(), pod.log]).toEqual([42, expect.any(String)]);
  expect((await retrieve(id)).status).toBe('failed');
});

test('an empty TUNEFLEET_JOB_ID, as in the template, is none: the pod takes what waits', async () => {
  const id = await queued(1);
  const pod = await fleet.spawn('trainer-pod', { TUNEFLEET_JOB_ID: '' });
  expect((await jobEnds(client, id)).status).toBe('succeeded');
  expect(await pod.stop()).toBe(0);
});
