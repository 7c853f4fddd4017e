import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { skipUnless } from '../../tools/jest/skip-unless.js';
import { modelPackage } from '../../tools/model-packages.mjs';
import { openai, raw } from '../harness/client.js';
import { chatRows, jobEnds, smallJob, until, upload } from '../harness/data.js';
import { ROOT } from '../harness/environment.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
const BUNDLED = join(ROOT, 'base-models/tunefleet-base');
const TINY = join(ROOT, 'libs/model-import/test/fixtures/tiny.gguf');
const FOLDER = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].map((name) => join(BUNDLED, name));

type Part = { file_id: string; path: string };
const put = async (file: string | Buffer, path: string): Promise<Part> => {
  const created =
    typeof file === 'string'
      ? await client.files.create({ file: createReadStream(file), purpose: 'user_data' })
      : await upload(client, file, 'user_data', path);
  return { file_id: created.id, path };
};
const start = (name: string, files: readonly Part[]) => raw('POST', '/base_models', { name, source: { type: 'files', files } });
const ended = (name: string, seconds = 60) =>
  until(
    async () => (await raw('GET', `/base_models/${name}`)).body,
    ({ status }) => status === 'ready' || status === 'failed',
    seconds,
  );
const weightsOf = async (model: string): Promise<unknown> =>
  ((await client.models.retrieve(model)) as OpenAI.Model & { tunefleet: { weights_sha256: string } }).tunefleet.weights_sha256;

test('a Hugging Face folder becomes a base: tuned, asked, listed, deleted', async () => {
  const files = await Promise.all(FOLDER.map((file) => put(file, basename(file))));
  const begun = await start('folder', files);
  expect(begun).toMatchObject({ status: 201, body: { id: 'folder', object: 'base_model', source: { type: 'files', files }, error: null } });
  expect(await ended('folder')).toMatchObject({ status: 'ready', error: null });
  expect(await weightsOf('folder')).toBe(await weightsOf('tunefleet-base'));
  for (const { file_id } of files) await client.files.delete(file_id); // the base has its own copy

  const rows = await upload(client, chatRows(10));
  const job = await client.fineTuning.jobs.create(smallJob(rows.id, { model: 'folder', tunefleet: { max_steps: 1 } }));
  const { fine_tuned_model: tuned, error } = await jobEnds(client, job.id);
  expect(error).toBeNull();
  for (const model of ['folder', tuned ?? '']) {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 4,
      temperature: 0,
    });
    expect(answer.model).toBe(model);
  }
  expect(tuned).toMatch(/^ft:folder:/);

  const { data } = (await raw('GET', '/base_models')).body as { data?: { id: string; source: { type: string } }[] };
  expect(data?.filter(({ id }) => id === 'folder' || id === 'tunefleet-base').map(({ id, source }) => [id, source.type])).toEqual([
    ['folder', 'files'],
    ['tunefleet-base', 'bundled'],
  ]);
  expect(await raw('DELETE', '/base_models/folder')).toMatchObject({
    status: 400,
    body: { error: { code: 'model_in_use', param: 'name' } },
  });
  await client.models.delete(tuned ?? '');
  expect(await raw('DELETE', '/base_models/folder')).toMatchObject({ status: 200, body: { id: 'folder', deleted: true } });
  expect(await raw('GET', '/base_models/folder')).toMatchObject({
    status: 404,
    body: { error: { code: 'model_not_found', param: 'name' } },
  });
  await expect(client.models.retrieve('folder')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
}, 120_000);

test('a GGUF file becomes a base that can be tuned and asked', async () => {
  await start('tiny', [await put(TINY, 'tiny.gguf')]);
  expect(await ended('tiny')).toMatchObject({ status: 'ready', error: null });
  const rows = await upload(client, chatRows(10));
  const job = await client.fineTuning.jobs.create(
    smallJob(rows.id, { model: 'tiny', tunefleet: { adapter: { type: 'lora', rank: 2 }, max_steps: 1 } }),
  );
  const { fine_tuned_model: tuned, error } = await jobEnds(client, job.id);
  expect(error).toBeNull();
  const answer = await client.chat.completions.create({ model: tuned ?? '', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 });
  expect(answer.usage?.completion_tokens).toBeGreaterThan(0);
}, 120_000);

test("an adapter that left as PEFT's comes back: it answers as before, goes on, and leaves again", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-adapter-'));
  const exported = async (model: string, into: string): Promise<string> => {
    const path = `/models/${encodeURIComponent(model)}/export`;
    const archive = await client.get<Response>(path, { query: { format: 'peft' }, __binaryResponse: true });
    mkdirSync(join(folder, into));
    execFileSync('tar', ['-xf', '-', '-C', join(folder, into)], { input: Buffer.from(await archive.arrayBuffer()) });
    return join(folder, into);
  };
  const rows = await upload(client, chatRows(10));
  const job = async (model: string, block: object) => {
    const created = await client.fineTuning.jobs.create(smallJob(rows.id, { model, tunefleet: { max_steps: 3, ...block } }));
    return jobEnds(client, created.id);
  };
  const adapter = { type: 'lora', rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'], rank_pattern: { q_proj: 2 } };
  const { fine_tuned_model: tuned, error } = await job('tunefleet-base', { adapter, optimizer: { learning_rate: 5e-2 } });
  expect(error).toBeNull();
  const names = ['adapter_config.json', 'adapter_model.safetensors'];
  const first = await exported(tuned ?? '', 'first');
  const files = await Promise.all(names.map((name) => put(join(first, name), name)));
  await raw('POST', '/base_models', { name: 'returned', base: 'tunefleet-base', source: { type: 'files', files } });
  expect(await ended('returned')).toMatchObject({ status: 'ready', error: null });
  expect(await weightsOf('returned')).toBe(await weightsOf(tuned ?? ''));
  const answer = async (model: string) => {
    const messages = [{ role: 'user' as const, content: 'I lost my card' }];
    const { choices } = await client.chat.completions.create({ model, messages, max_tokens: 24, temperature: 0 });
    return choices[0]?.message.content;
  };
  expect(await answer('returned')).toEqual(await answer(tuned ?? ''));
  expect(await answer('returned')).not.toEqual(await answer('tunefleet-base'));

  const next = await job('returned', { adapter: { type: 'lora' } });
  expect(next.error).toBeNull();
  expect(next.tunefleet).toMatchObject({ adapter });
  expect(next.fine_tuned_model).toMatch(/^ft:returned:/);
  const last = await exported(next.fine_tuned_model ?? '', 'last');
  const config = (path: string): unknown => JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'));
  expect(config(last)).toEqual(config(first));
  expect(await weightsOf(next.fine_tuned_model ?? '')).not.toBe(await weightsOf('returned'));
  await expect(job('returned', { adapter: { type: 'lora', rank: 8 } })).rejects.toMatchObject({ param: 'tunefleet.adapter.rank' });
  rmSync(folder, { recursive: true });
}, 120_000);

test('a request sent again makes one base; another for the same name is refused', async () => {
  const file = await put(TINY, 'tiny.gguf');
  const body = { name: 'again', source: { type: 'files', files: [file] } };
  const headers = { 'idempotency-key': 'import-again' };
  expect((await raw('POST', '/base_models', body, headers)).status).toBe(201);
  expect((await raw('POST', '/base_models', body, headers)).status).toBe(200);
  expect(await raw('POST', '/base_models', body)).toMatchObject({ status: 400, body: { error: { code: 'invalid_value', param: 'name' } } });
  await raw('PUT', '/model_aliases/an-alias', { model: 'tunefleet-base' });
  for (const name of ['tunefleet-base', 'an-alias']) {
    expect(await start(name, [file])).toMatchObject({ status: 400, body: { error: { code: 'invalid_value', param: 'name' } } });
  }
  expect(await raw('PUT', '/model_aliases/again', { model: 'tunefleet-base' })).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_value' } },
  });
  await ended('again');
  await raw('DELETE', '/base_models/again');
  await raw('DELETE', '/model_aliases/an-alias');
});

test.each<[string, unknown, string, string]>([
  [
    'a name with a colon',
    { name: 'ft:x', source: { type: 'files', files: [{ file_id: 'file-x', path: 'a.gguf' }] } },
    'invalid_value',
    'name',
  ],
  ['a source of no kind', { name: 'x', source: { type: 'ftp' } }, 'invalid_value', 'source.type'],
  ['no files', { name: 'x', source: { type: 'files', files: [] } }, 'invalid_value', 'source.files'],
  [
    'a file that is not there',
    { name: 'x', source: { type: 'files', files: [{ file_id: 'file-x', path: 'a.gguf' }] } },
    'file_not_found',
    'source.files[0].file_id',
  ],
  [
    'a path that leaves the folder',
    { name: 'x', source: { type: 'files', files: [{ file_id: 'file-x', path: '../a.gguf' }] } },
    'invalid_value',
    'source.files[0].path',
  ],
  [
    'a pickle',
    { name: 'x', source: { type: 'files', files: [{ file_id: 'file-x', path: 'pytorch_model.bin' }] } },
    'not_supported',
    'source.files[0].path',
  ],
  [
    'an adapter without its base',
    { name: 'x', source: { type: 'files', files: [{ file_id: 'file-x', path: 'adapter_config.json' }] } },
    'missing_required_parameter',
    'base',
  ],
  [
    'a base under a whole model',
    { name: 'x', base: 'tunefleet-base', source: { type: 'files', files: [{ file_id: 'file-x', path: 'a.gguf' }] } },
    'invalid_value',
    'base',
  ],
  ['a repository without owner', { name: 'x', source: { type: 'hf', repo: 'model' } }, 'invalid_value', 'source.repo'],
  ['an unknown field', { name: 'x', source: { type: 'hf', repo: 'a/b' }, extra: 'y' }, 'unknown_parameter', 'extra'],
])('%s is refused', async (_name, body, code, param) => {
  const { status, body: answer } = await raw('POST', '/base_models', body);
  expect([status, answer.error?.code, answer.error?.param]).toEqual([code === 'file_not_found' ? 404 : 400, code, param]);
});

test("a bucket that is not the fleet's is refused", async () => {
  const { status, body } = await raw('POST', '/base_models', { name: 'x', source: { type: 's3', uri: 's3://elsewhere/default/x' } });
  expect([status, body.error?.param]).toEqual([400, 'source.uri']);
  expect(['not_supported', 'invalid_value']).toContain(body.error?.code); // the first where objects lie in a folder
});

test('a file of another purpose is refused', async () => {
  const rows = await upload(client, chatRows(10));
  expect(await start('x', [{ file_id: rows.id, path: 'a.gguf' }])).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_purpose', param: 'source.files[0].file_id' } },
  });
});

test('files that are no model: the import fails with the reason, and the name may be used again', async () => {
  const cut = await put(readFileSync(TINY).subarray(0, 20_000), 'tiny.gguf');
  await start('second-try', [cut]);
  expect(await ended('second-try')).toMatchObject({
    status: 'failed',
    error: { code: 'invalid_model', param: 'source', message: expect.stringContaining('(truncated)') },
  });
  await expect(client.models.retrieve('second-try')).rejects.toMatchObject({ code: 'model_not_found' });
  await start('second-try', [await put(TINY, 'tiny.gguf')]);
  expect(await ended('second-try')).toMatchObject({ status: 'ready', error: null });
});

const smol = modelPackage('smolLm2');
skipUnless(smol.path !== undefined, smol.missing)(
  'SmolLM2-135M-Instruct out of its GGUF file talks',
  async () => {
    await start('smollm2', [await put(smol.path as string, 'SmolLM2-135M-Instruct.Q4_1.gguf')]);
    expect(await ended('smollm2', 120)).toMatchObject({ status: 'ready', error: null });
    const answer = await client.chat.completions.create({
      model: 'smollm2',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      max_tokens: 24,
      temperature: 0,
    });
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: expect.stringContaining('Paris') } });
    expect(await raw('DELETE', '/base_models/smollm2')).toMatchObject({ status: 200 });
  },
  180_000,
);

coversInventory('base-models.test.ts');
