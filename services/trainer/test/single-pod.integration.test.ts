import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import { rows } from './dataset-stand-in.js';
import { BODY, useFleet } from './use-fleet.js';
import { ended, jobIn, until } from './wait.js';

const { fleet, test } = useFleet(({ dataset }) => dataset.add('file-train', rows(400)));

/** A pod for one job; resolves with its exit code. */
async function exitOf(job: string, signal?: () => Promise<NodeJS.Signals>, env: Record<string, string> = {}): Promise<number | null> {
  const pod = await fleet.run('trainer-pod', { TUNEFLEET_JOB_ID: job, ...env });
  const exit = new Promise<number | null>((resolve) => (pod.exitCode === null ? pod.once('exit', resolve) : resolve(pod.exitCode)));
  if (signal) pod.kill(await signal());
  return exit;
}

test('an idle pod is small: the engine is loaded by training processes alone', () => {
  const status = readFileSync(`/proc/${fleet.children.get('trainer-pod')!.pid}/status`, 'utf8');
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(status)!;
  expect(Number(kib) / 1024).toBeLessThan(160);
});

test('a pod started for one job exits 0 when it is done, 143 when drained', async () => {
  await fleet.end('trainer-pod', 'SIGTERM');
  const id = await fleet.create({ ...BODY, tunefleet: { snapshot: { every_steps: 5 } } });
  await jobIn(fleet, id, ['queued']);
  const training = async (): Promise<NodeJS.Signals> => {
    await until(async () => (await fleet.metrics(id)).length > 3, 'a step');
    return 'SIGTERM';
  };
  expect(await exitOf(id, training)).toBe(143);
  await jobIn(fleet, id, ['queued']);
  expect(await exitOf(id)).toBe(0);
  expect((await ended(fleet, id)).status).toBe('succeeded');
}, 60_000);

test('it exits 42 when trying again cannot help, and the job fails with the reason', async () => {
  // Each step multiplies the weights by 1 - 10 x 10: they are infinite after a few.
  const optimizer = { learning_rate: 10, weight_decay: 10, schedule: { type: 'constant', warmup_ratio: 0 } };
  const id = await fleet.create({ ...BODY, tunefleet: { optimizer } });
  await jobIn(fleet, id, ['queued']);
  expect(await exitOf(id)).toBe(42);
  expect(await ended(fleet, id)).toMatchObject({
    status: 'failed',
    error: { code: 'training_failed', message: expect.stringMatching(/loss|norm/) },
  });
}, 60_000);

test('a job that needs more memory than its pod may use fails with that code, not tried again', async () => {
  const id = await fleet.create(BODY);
  await jobIn(fleet, id, ['queued']);
  expect(await exitOf(id, undefined, { TUNEFLEET_POD_MEMORY_BYTES: '100000000' })).toBe(42);
  expect(await ended(fleet, id)).toMatchObject({ status: 'failed', error: { code: 'insufficient_memory' } });
}, 60_000);
