import { expect } from '@jest/globals';
import type { FineTuningJob, MetricsRow } from '@tunefleet/contracts';
import { rows } from './dataset-stand-in.js';
import type { Fleet, List } from './fleet.js';
import { BODY, useFleet } from './use-fleet.js';
import { ended, jobIn } from './wait.js';

const { fleet, test } = useFleet(({ dataset }) => {
  dataset.add('file-train', rows(20));
  dataset.add('file-foreign', rows(20), { project: 'other' });
  dataset.add('file-assistants', rows(20), { purpose: 'assistants' });
  dataset.add('file-waiting', rows(20), { status: 'uploaded' });
});

const create = (body: object = BODY, options: Parameters<Fleet['api']>[3] = {}) => fleet.api<FineTuningJob>('POST', '/jobs', body, options);
const refused = async (body: object) => {
  const { status, body: answer } = await fleet.api<{ error: { code: string; param: string } }>('POST', '/jobs', body);
  return [status, answer.error.code, answer.error.param];
};

test('what a body gets wrong is refused with code and param', async () => {
  expect(await refused({ ...BODY, training_file: 'file-none' })).toEqual([404, 'file_not_found', 'training_file']);
  expect(await refused({ ...BODY, validation_file: 'file-foreign' })).toEqual([404, 'file_not_found', 'validation_file']);
  expect(await refused({ ...BODY, training_file: 'file-assistants' })).toEqual([400, 'invalid_purpose', 'training_file']);
  expect(await refused({ ...BODY, model: 'gpt-none' })).toEqual([404, 'model_not_found', 'model']);
  expect(await refused({ ...BODY, hyperparameters: { n_epochs: 51 } })).toEqual([400, 'invalid_value', 'hyperparameters.n_epochs']);
  expect(await refused({ ...BODY, hyperparameters: { n_epochs: '3' } })).toEqual([400, 'invalid_value', 'hyperparameters.n_epochs']);
  expect(await refused({ ...BODY, hyperparameters: { n_epochs: true } })).toEqual([400, 'invalid_type', 'hyperparameters.n_epochs']);
  expect(await refused({ ...BODY, seed: -1 })).toEqual([400, 'invalid_value', 'seed']);
  expect(await refused({ ...BODY, suffix: '' })).toEqual([400, 'invalid_value', 'suffix']);
  expect(await refused({ ...BODY, suffix: 'x'.repeat(65) })).toEqual([400, 'invalid_value', 'suffix']);
  expect(await refused({ ...BODY, metadata: { k: 1 } })).toEqual([400, 'invalid_type', 'metadata.k']);
  expect(await refused({ ...BODY, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, 'v'])) })).toEqual([
    400,
    'invalid_value',
    'metadata',
  ]);
  expect(await refused({ ...BODY, tunefleet: { optimizer: { schedule: { shape: 1 } } } })).toEqual([
    400,
    'unknown_parameter',
    'tunefleet.optimizer.schedule.shape',
  ]);
  expect(await refused({ ...BODY, tunefleet: { queue: 'gpu' } })).toEqual([400, 'invalid_value', 'tunefleet.queue']);
  expect(await refused({ ...BODY, tunefleet: { freeze: { layers: [0] } } })).toEqual([400, 'not_supported', 'tunefleet.freeze.layers']);
});

test('a request sent again by the SDK makes no second job; two equal ones without that mark do', async () => {
  const body = { ...BODY, suffix: 'once', seed: 5 };
  const first = await create(body);
  const again = await create(body, { headers: { 'x-stainless-retry-count': '1' } });
  expect(again.body.id).toBe(first.body.id);
  const another = await create(body);
  expect(another.body.id).not.toBe(first.body.id);
  const key = { headers: { 'idempotency-key': 'k-1' } };
  const keyed = await create(body, key);
  expect((await create(body, key)).body.id).toBe(keyed.body.id);
  expect((await create({ ...body, seed: 6 }, key)).status).toBe(422);
});

test("another project's job is no other than none", async () => {
  const { body } = await create();
  for (const [method, path] of [
    ['GET', ''],
    ['POST', '/cancel'],
    ['GET', '/events'],
    ['GET', '/checkpoints'],
    ['GET', '/metrics'],
  ] as const)
    expect(await fleet.api(method, `/jobs/${body.id}${path}`, undefined, { project: 'other' })).toMatchObject({
      status: 404,
      body: { error: { code: 'job_not_found' } },
    });
});

test('a job on a file still uploaded waits for it; a file in error fails the job with its first fault', async () => {
  const { body } = await create({ ...BODY, training_file: 'file-waiting' });
  expect(body).toMatchObject({ status: 'validating_files', tunefleet: { waiting: { reason: 'files' } } });
  expect(body.hyperparameters).toEqual({ batch_size: 4, learning_rate_multiplier: 'auto', n_epochs: 1 });
  const fault = { code: 'missing_assistant', message: 'no assistant message', line: 3, column: 1 };
  fleet.dataset.add('file-waiting', [], { status: 'error', fault });
  const failed = await ended(fleet, body.id);
  expect(failed).toMatchObject({
    status: 'failed',
    error: { code: 'missing_assistant', message: 'no assistant message (line 3, column 1)', param: 'training_file' },
    fine_tuned_model: null,
  });
  expect(failed.finished_at).toBeGreaterThanOrEqual(failed.created_at);
});

test('a paused job that waited goes straight to paused, resumes to where it was, and cancels once', async () => {
  fleet.dataset.add('file-later', rows(20), { status: 'uploaded' });
  const { body } = await create({ ...BODY, training_file: 'file-later' });
  const move = (name: string) => fleet.api<FineTuningJob>('POST', `/jobs/${body.id}/${name}`);
  expect((await move('pause')).body.status).toBe('paused');
  expect((await move('resume')).body.status).toBe('validating_files');
  expect((await move('cancel')).body.status).toBe('cancelled');
  expect(await move('resume')).toMatchObject({ status: 400, body: { error: { code: 'invalid_state' } } });
});

test('lists: newest first, paged, filtered by metadata; an unknown `after` is a 400', async () => {
  const project = 'lists';
  fleet.dataset.add('file-lists', rows(20), { project });
  const made: string[] = [];
  for (const metadata of [{ team: 'a', tier: '1' }, { team: 'b' }, null])
    made.push((await create({ ...BODY, training_file: 'file-lists', metadata }, { project })).body.id);
  const list = async (query: string) => (await fleet.api<List<FineTuningJob>>('GET', `/jobs${query}`, undefined, { project })).body;
  const all = await list('');
  expect(all.data.map(({ id }) => id).sort()).toEqual([...made].sort());
  const order = all.data.map(({ id }) => id);
  const first = await list('?limit=2');
  expect([first.data.map(({ id }) => id), first.has_more]).toEqual([order.slice(0, 2), true]);
  const rest = await list(`?limit=2&after=${order[1]}`);
  expect([rest.data.map(({ id }) => id), rest.has_more]).toEqual([order.slice(2), false]);
  expect((await list('?metadata%5Bteam%5D=a&metadata%5Btier%5D=1')).data.map(({ id }) => id)).toEqual([made[0]]);
  expect((await list('?metadata%5Bteam%5D=c')).data).toEqual([]);
  expect((await list('?metadata=')).data.map(({ id }) => id)).toEqual([made[2]]);
  expect((await fleet.api('GET', '/jobs?after=ftjob-none', undefined, { project })).status).toBe(400);
  expect((await fleet.api('GET', '/jobs?page=2', undefined, { project })).body).toMatchObject({ error: { code: 'unknown_parameter' } });
});

test('an answered job may be posted back; the same job on the same files gives the same bytes', async () => {
  const { body } = await create({ ...BODY, seed: 11 });
  const job = await ended(fleet, body.id);
  expect(job.status).toBe('succeeded');
  const { model, training_file, hyperparameters, method, seed, tunefleet, metadata } = job;
  const again = await ended(fleet, (await create({ model, training_file, hyperparameters, method, seed, tunefleet, metadata })).body.id);
  expect(again.status).toBe('succeeded');
  const [one, two] = await Promise.all([fleet.resolve(job.fine_tuned_model!), fleet.resolve(again.fine_tuned_model!)]);
  expect(two.weights_sha256).toBe(one.weights_sha256);
  const continued = await ended(fleet, (await create({ ...BODY, model: job.fine_tuned_model! })).body.id);
  expect(continued.status).toBe('succeeded');
  expect(continued.fine_tuned_model).toMatch(/^ft:tiny:default::/);
}, 60_000);

test('full tuning works as LoRA does', async () => {
  const job = await ended(fleet, (await create({ ...BODY, tunefleet: { adapter: { type: 'full' } } })).body.id);
  expect(job).toMatchObject({ status: 'succeeded', tunefleet: { adapter: { type: 'full' }, optimizer: { learning_rate: 2e-5 } } });
}, 60_000);

test('metrics as a stream follow a running job: each step once, then its end', async () => {
  fleet.dataset.add('file-long', rows(200));
  const { body } = await create({ ...BODY, training_file: 'file-long' });
  await jobIn(fleet, body.id, ['running']);
  const text = await fleet.stream(`/jobs/${body.id}/metrics`);
  const steps = [...text.matchAll(/^data: (\{"step".*)$/gm)].map(([, json]) => (JSON.parse(json!) as MetricsRow).step);
  expect(steps.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(text.trim().split('\n\n').at(-1)).toBe('event: done\ndata: {"status":"succeeded"}');
  expect((await fleet.metrics(body.id)).map((row) => row.step)).toEqual(steps);
}, 60_000);

test('events page without gaps or repeats', async () => {
  const { body } = await create({ ...BODY, training_file: 'file-long' });
  await ended(fleet, body.id);
  const ids = (await fleet.events(body.id, 7)).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBe(50 + 7);
}, 60_000);
