import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { FineTuningJob, FineTuningJobCheckpoint, FineTuningJobEvent, MetricsRow } from '@tunefleet/contracts';
import { rows } from './dataset-stand-in.js';
import type { List } from './fleet.js';
import { useFleet } from './use-fleet.js';
import { ended, jobIn, until } from './wait.js';

const EPOCHS = 4;
const STEPS = EPOCHS * 75;
/** What the same job gave that ran through. */
let whole: Outcome;

interface Outcome {
  job: FineTuningJob;
  weights: string;
  checkpoints: string[];
  rows: MetricsRow[];
}

const BODY = {
  model: 'tiny',
  training_file: 'file-train',
  validation_file: 'file-valid',
  seed: 7,
  hyperparameters: { n_epochs: EPOCHS, batch_size: 4 },
  tunefleet: { micro_batch_size: 2, snapshot: { every_steps: 20 } },
};

const { fleet, test } = useFleet(
  async ({ dataset }) => {
    dataset.add('file-train', rows(300));
    dataset.add('file-valid', rows(12, 7));
    whole = await outcomeOf(await create());
  },
  { seconds: 90 },
);

const create = (): Promise<string> => fleet.create(BODY);

const reachedStep = (id: string, step: number): Promise<MetricsRow> =>
  until(async () => (await fleet.metrics(id)).find((row) => row.step >= step), `step ${step} of ${id}`);

async function outcomeOf(id: string): Promise<Outcome> {
  const job = await ended(fleet, id);
  expect(job).toMatchObject({ status: 'succeeded', error: null });
  const weightsOf = async (model: string) => (await fleet.resolve(model)).weights_sha256;
  const checkpoints = (await fleet.api<List<FineTuningJobCheckpoint>>('GET', `/jobs/${id}/checkpoints`)).body.data;
  return {
    job,
    weights: await weightsOf(job.fine_tuned_model!),
    checkpoints: await Promise.all(checkpoints.map(({ fine_tuned_model_checkpoint: model }) => weightsOf(model))),
    rows: await fleet.metrics(id),
  };
}

/** The same bytes, the same rows, and every event once. */
async function expectSame(id: string): Promise<FineTuningJobEvent[]> {
  const outcome = await outcomeOf(id);
  expect(outcome.weights).toBe(whole.weights);
  expect(outcome.checkpoints).toEqual(whole.checkpoints);
  expect(outcome.rows).toEqual(whole.rows);
  expect(outcome.job.trained_tokens).toBe(whole.job.trained_tokens);
  const events = await fleet.events(id);
  expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
  expect(events.filter((event) => event.type === 'metrics').map((event) => (event.data as { step: number }).step)).toEqual(
    Array.from({ length: STEPS }, (_, i) => STEPS - i),
  );
  const messages = events.filter((event) => event.type === 'message').map((event) => event.message);
  for (const once of [
    'Created fine-tuning job',
    'Fine-tuning job started',
    'Fine tuning job successfully completed',
    'Checkpoint created at step 75',
  ])
    expect(messages.filter((message) => message === once)).toEqual([once]);
  return events;
}

test('a job that ran through says so: all steps, all checkpoints', () => {
  expect(whole.rows.length).toBe(STEPS);
  expect(whole.checkpoints.length).toBe(EPOCHS);
});

test('kill -9 of the training process at any time changes nothing', async () => {
  const id = await create();
  for (const step of [1, 50, 200]) {
    await reachedStep(id, step);
    const [pid] = await until(async () => fleet.trainingPids().length > 0 && fleet.trainingPids(), 'a training process');
    process.kill(pid!, 'SIGKILL');
    await until(async () => !fleet.trainingPids().includes(pid!), 'its end');
  }
  await expectSame(id);
  expect(fleet.trainingPids()).toEqual([]);
}, 90_000);

test('kill -9 of the pod: its training process ends, another attempt finishes the job', async () => {
  const id = await create();
  await reachedStep(id, 150);
  const [pid] = fleet.trainingPids();
  await fleet.end('trainer-pod', 'SIGKILL');
  await until(async () => !alive(pid!), 'the orphan to end', 5);
  await fleet.run('trainer-pod');
  await expectSame(id);
}, 90_000);

test('kill -9 of the trainer while the job trains', async () => {
  const id = await create();
  await reachedStep(id, 120);
  await fleet.end('trainer', 'SIGKILL');
  await sleep(500);
  await fleet.run('trainer');
  await expectSame(id);
}, 90_000);

test('pause snapshots and stops; resume goes on', async () => {
  const id = await create();
  await reachedStep(id, 90);
  const { body } = await fleet.api<FineTuningJob>('POST', `/jobs/${id}/pause`);
  expect(['pausing', 'paused']).toContain(body.status);
  await jobIn(fleet, id, ['paused']);
  expect(fleet.trainingPids()).toEqual([]);
  expect(await fleet.api('POST', `/jobs/${id}/pause`)).toMatchObject({ status: 400, body: { error: { code: 'invalid_state' } } });
  expect((await fleet.api<FineTuningJob>('POST', `/jobs/${id}/resume`)).body.status).toBe('queued');
  await expectSame(id);
}, 90_000);

test('SIGTERM to the pod: a snapshot, the job goes back, another pod finishes it', async () => {
  const id = await create();
  await reachedStep(id, 77);
  expect(await fleet.end('trainer-pod', 'SIGTERM')).toBe(0);
  expect((await fleet.api<FineTuningJob>('GET', `/jobs/${id}`)).body.status).toBe('queued');
  await fleet.run('trainer-pod');
  await expectSame(id);
}, 90_000);

test('kill -9 of trainer and pod together', async () => {
  const id = await create();
  await reachedStep(id, 210);
  await Promise.all([fleet.end('trainer-pod', 'SIGKILL'), fleet.end('trainer', 'SIGKILL')]);
  await Promise.all([fleet.run('trainer'), fleet.run('trainer-pod')]);
  await expectSame(id);
}, 90_000);

test('kill -9 of nats-server: the training goes on, what it tells arrives afterwards', async () => {
  const id = await create();
  await reachedStep(id, 60);
  await fleet.nats.kill();
  await sleep(1000);
  await fleet.nats.start();
  await expectSame(id);
}, 90_000);

test('cancel stops compute within two seconds', async () => {
  const id = await create();
  await reachedStep(id, 20);
  const [pid] = fleet.trainingPids();
  expect((await fleet.api<FineTuningJob>('POST', `/jobs/${id}/cancel`)).body.status).toBe('cancelled');
  await until(async () => !alive(pid!), 'the training process to end', 2);
  expect((await fleet.api<FineTuningJob>('POST', `/jobs/${id}/cancel`)).status).toBe(400);
}, 60_000);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
