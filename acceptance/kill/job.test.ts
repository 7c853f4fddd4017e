import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { FINAL, type Job, until } from '../harness/data.js';
import { Fleet } from '../harness/fleet.js';
import { createJob, metricsOf, type Outcome, outcomeOf, patientClient, STEPS, trainingFile } from './job.js';
import { note, printTable, wholeAgain } from './recovery.js';
import { draws } from './seed.js';

let fleet: Fleet;
let client: OpenAI;
let file: string;
/** What the job comes to that nobody disturbs. */
let whole: Outcome;

beforeAll(async () => {
  fleet = await Fleet.start();
  client = patientClient(fleet);
  file = await trainingFile(client);
  whole = await outcomeOf(client, (await createJob(client, file)).id);
}, 120_000);

afterAll(async () => {
  printTable();
  await fleet?.remove();
}, 60_000);

const CANONICAL =
  /^(Created fine-tuning job|Validating training file|Files validated|Fine-tuning job started$|New fine-tuned|Fine tuning job succ|step )/;
/** Without what names the job itself. */
const canonical = ({ events }: Outcome): string[] =>
  events.map(({ text }) => text.replace(/(created:) .*/, '$1')).filter((text) => CANONICAL.test(text) || text.startsWith('Checkpoint'));

/** Ended once, with the same bytes, rows and events as the job that ran through, and one version. */
async function expectSame(id: string): Promise<Outcome> {
  const outcome = await outcomeOf(client, id);
  expect(outcome.weights).toBe(whole.weights);
  expect(outcome.checkpoints).toEqual(whole.checkpoints);
  expect(outcome.rows.map(({ step, train_loss }) => [step, train_loss])).toEqual(
    whole.rows.map(({ step, train_loss }) => [step, train_loss]),
  );
  expect(outcome.csv).toBe(whole.csv);
  expect(outcome.job.result_files).toHaveLength(1);
  expect(outcome.job.trained_tokens).toBe(whole.job.trained_tokens);
  expect(new Set(outcome.events.map((event) => event.id)).size).toBe(outcome.events.length);
  expect([...canonical(outcome)].sort()).toEqual([...canonical(whole)].sort());
  expect(outcome.events[0]?.text).toBe('Created fine-tuning job');
  expect(outcome.events.at(-1)?.text).toBe('Fine tuning job successfully completed');
  const suffix = id.slice('ftjob-'.length);
  const versions = (await client.models.list()).data.map((model) => model.id).filter((model) => model.endsWith(`:${suffix}`));
  expect(versions).toEqual([outcome.job.fine_tuned_model]);
  const results: string[] = [];
  for await (const { id: result } of client.files.list({ purpose: 'fine-tune-results' })) results.push(result);
  expect(results.filter((result) => outcome.job.result_files.includes(result))).toHaveLength(1);
  return outcome;
}

/** Steps reported so far; `STEPS` and one more when the job has ended. */
async function progress(id: string): Promise<number> {
  const job = await client.fineTuning.jobs.retrieve(id);
  return FINAL.has(job.status) ? STEPS + 1 : ((await metricsOf(client, id)).at(-1)?.step ?? 0);
}

const reaches = (id: string, step: number): Promise<number> =>
  until(
    () => progress(id),
    (seen) => seen >= step,
    120,
  );

const since = (start: number): number => (performance.now() - start) / 1000;

/** Kills at a step drawn from the seed (0: just after it was created), and notes what that cost. */
async function disturb(victim: string, kill: (job: Job) => unknown, from = 0, to = STEPS - 2): Promise<string> {
  const job = await createJob(client, file);
  const drawn = draws(victim)(from, to);
  const seen = drawn === 0 ? 0 : await reaches(job.id, drawn);
  const start = performance.now();
  await kill(job);
  const answered = wholeAgain(fleet).then(() => since(start));
  const wentOn = reaches(job.id, seen + 1).then(() => since(start));
  note({ victim, at: `step ${seen}`, answered: await answered, wentOn: await wentOn });
  return job.id;
}

test('the training process, three times in one job', async () => {
  const job = await createJob(client, file);
  const draw = draws('training');
  for (const [from, to] of [
    [1, STEPS / 4],
    [STEPS / 4 + 1, STEPS / 2],
    [STEPS / 2 + 1, STEPS - 10],
  ] as const) {
    const seen = await reaches(job.id, draw(from, to));
    if (seen > STEPS) break;
    const start = performance.now();
    fleet.kill(`training-${job.id}`);
    await reaches(job.id, seen + 1);
    note({ victim: 'training process', at: `step ${seen}`, answered: 0, wentOn: since(start) });
  }
  await expectSame(job.id);
});

test.each(['trainer-pod-1', 'trainer', 'dataset', 'evaluator', 'inference', 'model-registry', 'gateway', 'nats-server'])(
  '%s',
  async (victim) => {
    await expectSame(await disturb(victim, () => fleet.kill(victim)));
  },
);

test.each(['trainer-pod-1', 'trainer', 'dataset', 'model-registry', 'nats-server'])('%s, as the job ends', async (victim) => {
  const job = await createJob(client, file);
  await reaches(job.id, STEPS);
  fleet.kill(victim);
  await expectSame(job.id);
});

test('the pod, again and again', async () => {
  const job = await createJob(client, file);
  const draw = draws('pods');
  for (let seen = 0; ; ) {
    seen = await reaches(job.id, Math.min(STEPS, seen + draw(STEPS / 8, STEPS / 3)));
    if (seen >= STEPS) break;
    fleet.kill('trainer-pod-1');
  }
  await expectSame(job.id);
});

test('the launcher, then a new start', async () => {
  const relaunch = async (): Promise<void> => {
    fleet.kill('launcher');
    await fleet.exited();
    await fleet.launch();
  };
  await expectSame(await disturb('launcher', relaunch));
});

test('everything at once, then a new start', async () => {
  const relaunch = async (): Promise<void> => {
    fleet.killAll();
    await fleet.exited();
    await fleet.launch();
  };
  await expectSame(await disturb('everything', relaunch));
});

test('paused and resumed, with the pod killed while it is paused', async () => {
  const job = await createJob(client, file);
  await reaches(job.id, draws('pause')(2, STEPS / 2));
  await client.fineTuning.jobs.pause(job.id);
  await until(
    () => client.fineTuning.jobs.retrieve(job.id),
    ({ status }) => (status as string) === 'paused',
    60,
  );
  fleet.kill('trainer-pod-1');
  await client.fineTuning.jobs.resume(job.id);
  await expectSame(job.id);
});
