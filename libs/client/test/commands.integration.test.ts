import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { repository } from '../../../tools/jest/tools.js';
import { start, tunefleet } from './command.js';
import { fleetMissing, startFleet, type TestFleet } from './fleet.js';

const missing = fleetMissing();
const test = skipUnless(missing === undefined, missing ?? '');

interface Thing extends Record<string, unknown> {
  id: string;
  status: string;
}

let fleet: TestFleet;
let env: Record<string, string>;
const seen: { file: string; job: string; model: string; eval: string } = { file: '', job: '', model: '', eval: '' };

const rows = readFileSync(join(repository, 'quickstart/data/banking77.train.jsonl'), 'utf8')
  .split('\n')
  .slice(0, 24)
  .map((line) => JSON.parse(line) as { text: string; intent: string });

const jsonl = (values: object[]): string => values.map((value) => JSON.stringify(value)).join('\n');
const local = (name: string, text: string): string => {
  const path = join(fleet.folder, name);
  writeFileSync(path, text);
  return path;
};

/** The object on the last line of stdout of a command that is to end with `exit`. */
async function json<T = Thing>(args: string[], exit = 0): Promise<T> {
  const ended = await tunefleet(env, ...args, '--json');
  expect({ ...ended, stdout: '' }).toMatchObject({ exit });
  return JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as T;
}

const text = async (...args: string[]): Promise<string> => {
  const ended = await tunefleet(env, ...args);
  expect(ended).toMatchObject({ exit: 0 });
  return ended.stdout;
};

const createArgs = (epochs: number): string[] => [
  ...['jobs', 'create', '--model', 'tunefleet-base', '--training-file', seen.file, '--seed', '7', '--suffix', 'cli'],
  ...['--epochs', String(epochs), '--batch-size', '4', '--metadata', 'team=tests'],
  ...['--set', 'tunefleet.adapter.type=full', '--set', 'tunefleet.micro_batch_size=4'],
];

beforeAll(async () => {
  if (missing !== undefined) return;
  fleet = await startFleet();
  env = { TUNEFLEET_URL: fleet.url, TUNEFLEET_API_KEY: fleet.key };
}, 60_000);

afterAll(async () => {
  if (missing === undefined) await fleet.stop();
}, 60_000);

test('files: upload, list, get, validation, delete', async () => {
  const chat = rows.map((row) => ({
    messages: [
      { role: 'user', content: row.text },
      { role: 'assistant', content: row.intent },
    ],
  }));
  const file = await json(['files', 'upload', local('chat.jsonl', jsonl(chat)), '--wait']);
  expect(file).toMatchObject({ object: 'file', status: 'processed', filename: 'chat.jsonl', purpose: 'fine-tune' });
  seen.file = file.id;
  expect(await text('files')).toContain(file.id);
  expect(await text('files', 'get', file.id)).toContain('chat.jsonl');

  const broken = await json(['files', 'upload', local('broken.jsonl', `${jsonl(chat)}\n{"messages": []}`), '--wait'], 1);
  expect(broken.status).toBe('error');
  expect(await text('files', 'validation', broken.id)).toMatch(/faults +1 x missing_messages[\s\S]*\n25 /);
  expect(await json(['files', 'delete', broken.id])).toMatchObject({ id: broken.id, deleted: true });
  expect(await json(['files', 'list', '--purpose', 'fine-tune', '--limit', '5'])).toMatchObject({
    object: 'list',
    data: [{ id: file.id }],
  });
});

test('jobs: create with --watch ends with the finished job and shows loss and a bar on the way', async () => {
  const ended = await tunefleet(env, ...createArgs(2), '--watch', '--json');
  expect(ended).toMatchObject({ exit: 0 });
  expect(ended.stderr).toMatch(/12\/12 100\.0 % {2}loss \d+\.\d{4}/);
  const job = JSON.parse(ended.stdout) as Thing & { fine_tuned_model: string };
  expect(job).toMatchObject({ status: 'succeeded', seed: 7, metadata: { team: 'tests' }, tunefleet: { adapter: { type: 'full' } } });
  seen.job = job.id;
  seen.model = job.fine_tuned_model;
  const [all, one, events] = await Promise.all([text('jobs'), text('jobs', 'get', job.id), text('jobs', 'events', job.id, '--limit', '3')]);
  expect(all).toContain(job.id);
  expect(one).toMatch(/status +succeeded/);
  expect(events).toContain('successfully completed');
  expect(await json(['jobs', 'watch', job.id])).toMatchObject({ status: 'succeeded' });
});

test('jobs: Ctrl-C while watching leaves the job alone; pause, resume, cancel', async () => {
  const { id } = await json([...createArgs(50), '--set', 'tunefleet.micro_batch_size=1']);
  const watching = start(env, ['jobs', 'watch', id]);
  await new Promise<void>((resolve) => {
    watching.child.stderr.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('loss')) resolve();
    });
  });
  watching.child.kill('SIGINT');
  expect(await watching.ended).toMatchObject({ exit: 130, stderr: expect.stringContaining('the job goes on') });
  expect((await json(['jobs', 'pause', id])).status).toMatch(/^paus/);
  const deadline = Date.now() + 20_000;
  while ((await json(['jobs', 'get', id])).status !== 'paused' && Date.now() < deadline);
  expect((await json(['jobs', 'resume', id])).status).toMatch(/queued|running/);
  expect((await json(['jobs', 'cancel', id])).status).toBe('cancelled');
  expect((await json<{ error: Thing }>(['jobs', 'cancel', id], 1)).error).toMatchObject({
    code: 'invalid_state',
    next: expect.any(String),
  });
  expect(await json(['jobs', 'watch', id], 1)).toMatchObject({ status: 'cancelled' });
});

test('models: list, get', async () => {
  expect(await text('models')).toMatch(/tunefleet-base +base/);
  expect(await text('models', 'get', seen.model)).toContain(seen.job);
  expect(await json(['models', 'get', seen.model])).toMatchObject({ id: seen.model, tunefleet: { kind: 'version', job: seen.job } });
});

test('evals: create, run, get, list', async () => {
  const created = await json(['evals', 'create', '--name', 'intents', '--reference', '{{item.intent}}']);
  seen.eval = created.id;
  const data = local('rows.jsonl', jsonl(rows.slice(0, 6).map((item) => ({ item }))));
  const args = ['evals', 'run', created.id, '--model', seen.model, '--data', data, '--message', '{{item.text}}', '--max-tokens', '8'];
  const run = await json<Thing & { result_counts: object }>(args);
  expect(run).toMatchObject({ status: 'completed', model: seen.model, result_counts: { total: 6, errored: 0 } });
  const [whole, one, all] = await Promise.all([text('evals', 'get', created.id), text('evals', 'get', created.id, run.id), text('evals')]);
  expect(whole).toContain(run.id);
  expect(one).toContain('of 6');
  expect(all).toContain('intents');
});

test('aliases: a gate refuses with its figures, then lets pass; set, list, delete', async () => {
  const refused = await json<{ error: Thing }>(['aliases', 'set', 'production', seen.model], 1);
  expect(refused.error).toMatchObject({ code: 'gate_missing' });
  const gate = ['aliases', 'gate', 'production', '--eval', seen.eval];
  await json([...gate, '--min', '1', '--min-gain-over-base', '0.5']);
  const { error } = await json<{ error: Thing }>(['aliases', 'set', 'production', seen.model], 1);
  expect(error).toMatchObject({ code: 'gate_not_passed', tunefleet: { rules: [{ eval: seen.eval, required: 1, passed: false }, {}] } });
  expect(await json([...gate, '--min', '0'])).toMatchObject({ rules: [{ eval: seen.eval, min: 0 }] });
  expect(await json(['aliases', 'set', 'production', seen.model])).toMatchObject({ id: 'production', model: seen.model });
  expect(await text('aliases')).toContain(`${seen.eval} >= 0`);
  expect(await json(['aliases', 'delete', 'production'])).toMatchObject({ deleted: true });
  expect(await json(['models', 'delete', seen.model])).toMatchObject({ id: seen.model, deleted: true });
});

test('keys: create, list, revoke; a revoked key is refused', async () => {
  const key = await json<Thing & { key: string }>(['keys', 'create', '--project', 'acme', '--scope', 'read']);
  expect(key).toMatchObject({ project: 'acme', scope: 'read', key: expect.any(String) });
  const asAcme = { ...env, TUNEFLEET_API_KEY: key.key };
  expect(await tunefleet(asAcme, 'files')).toMatchObject({ exit: 0, stdout: '(none)\n' });
  const small = await tunefleet(asAcme, 'keys');
  expect(small).toMatchObject({ exit: 1, stderr: expect.stringContaining('insufficient_scope') });
  expect(await text('keys', 'list', '--project', 'acme')).toContain(key.id);
  expect(await json(['keys', 'revoke', key.id])).toMatchObject({ id: key.id, deleted: true });
  expect(await tunefleet(asAcme, 'files')).toMatchObject({ exit: 1, stderr: expect.stringContaining('invalid_api_key') });
});

test('export: a folder, a tar file; neither is written over', async () => {
  const folder = join(fleet.folder, 'exported');
  const done = await json<{ files: string[] }>(['export', 'tunefleet-base', '--format', 'merged', '--out', folder]);
  expect(done.files).toEqual(expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json']));
  expect(readdirSync(folder).sort()).toEqual(done.files.toSorted());
  const file = join(fleet.folder, 'exported.tar');
  await json(['export', 'tunefleet-base', '--format', 'merged', '--out', file]);
  expect(statSync(file).size).toBeGreaterThan(statSync(join(folder, 'model.safetensors')).size);
  for (const out of [folder, file])
    expect(await tunefleet(env, 'export', 'tunefleet-base', '--format', 'merged', '--out', out)).toMatchObject({ exit: 2 });
  const { error } = await json<{ error: Thing }>(
    ['export', 'tunefleet-base', '--format', 'peft', '--out', join(fleet.folder, 'none.tar')],
    1,
  );
  expect(error).toMatchObject({ code: 'invalid_value', param: 'format' });
});

test('models import: a GGUF file becomes a base; its uploads are gone again; a faulty one is exit 1, a wrong one 2', async () => {
  const tiny = join(repository, 'libs', 'model-import', 'test', 'fixtures', 'tiny.gguf');
  expect(await json(['models', 'import', tiny, '--name', 'tiny'])).toMatchObject({
    id: 'tiny',
    object: 'base_model',
    status: 'ready',
    error: null,
  });
  expect(await text('models', 'bases')).toMatch(/tiny +ready +files/);
  expect(await text('models')).toMatch(/tiny +base/);
  expect(await text('files', 'list', '--purpose', 'user_data')).toBe('(none)\n');
  const cut = join(fleet.folder, 'cut.gguf');
  writeFileSync(cut, readFileSync(tiny).subarray(0, 20_000));
  expect(await json(['models', 'import', cut, '--name', 'cut'], 1)).toMatchObject({ status: 'failed', error: { code: 'invalid_model' } });
  expect(await tunefleet(env, 'models', 'import', fleet.folder, '--name', 'x')).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('has no config.json'),
  });
  expect(await tunefleet(env, 'models', 'import', tiny)).toMatchObject({ exit: 2, stderr: expect.stringContaining('--name') });
  expect(await json(['models', 'delete', 'tiny'])).toMatchObject({ id: 'tiny', deleted: true });
});

test('estimate says what a job would take, and makes none', async () => {
  const [, , ...options] = createArgs(1);
  expect(await json(['estimate', ...options])).toMatchObject({
    object: 'fine_tuning.estimate',
    steps: expect.any(Number),
    peak_memory_bytes: expect.any(Number),
    cost: null,
  });
});

test('what is not built says so by name; wrong use is 2', async () => {
  const notBuilt = [['preview']];
  const answers = await Promise.all(notBuilt.map((args) => json<{ error: Thing }>(args, 1)));
  expect(answers.map(({ error }) => error['code'])).toEqual(notBuilt.map(() => 'not_supported'));
  const [unknown, noFile, noScope, noKey, noFleet] = await Promise.all([
    tunefleet(env, 'files', 'nonsense'),
    tunefleet(env, 'jobs', 'create', '--model', 'tunefleet-base'),
    tunefleet(env, 'keys', 'create', '--project', 'p'),
    tunefleet({}, 'files'),
    tunefleet({ ...env, TUNEFLEET_URL: 'http://127.0.0.1:1' }, 'files'),
  ]);
  for (const wrong of [unknown, noFile, noScope]) expect(wrong).toMatchObject({ exit: 2 });
  expect(noKey).toMatchObject({ exit: 2, stderr: expect.stringContaining('TUNEFLEET_API_KEY') });
  expect(noFleet).toMatchObject({ exit: 1, stderr: expect.stringContaining('npm start') });
});
