import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { mintId, type PreparedData as PreparedReply, type RpcReply } from '@tunefleet/contracts';
import { type Bus, connect } from '@tunefleet/messaging';
import { download } from '@tunefleet/object-store';
import { PreparedData } from '@tunefleet/training-data';
import { toFile } from 'openai';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { repository } from '../../../tools/jest/tools.js';
import { chatRow, filesBelow, jsonl, makeFolder, openai, removeFolder, ServiceProcess, until } from './fleet.js';

const base = join(resolve(process.env['TUNEFLEET_SHARED'] ?? join(repository, '..', 'shared')), 'data', 'models', 'stories260K-hf');
const hasNats = natsServerPath() !== undefined;
const test = skipUnless(hasNats && existsSync(base), hasNats ? 'TUNEFLEET_SHARED: no data/models/stories260K-hf' : NATS_MISSING);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let nats: NatsTestServer;
let folder: string;
let service: ServiceProcess;
let registry: ServiceProcess;
let bus: Bus;

beforeAll(async () => {
  if (!hasNats || !existsSync(base)) return;
  folder = await makeFolder();
  await mkdir(join(folder, 'bases'));
  await cp(base, join(folder, 'bases', 'stories'), { recursive: true });
  nats = await startNatsServer();
  const env = { NATS_URL: nats.url, TMPDIR: folder, TUNEFLEET_OBJECTS: join(folder, 'objects') };
  registry = new ServiceProcess('model-registry', { ...env, PORT: '23917', TUNEFLEET_BASE_MODELS: join(folder, 'bases') });
  service = new ServiceProcess('dataset', { ...env, TUNEFLEET_LEASE_MS: '1500' });
  await Promise.all([registry.start(), service.start()]);
  bus = await connect({ url: nats.url, name: 'trainer', logger: quiet });
}, 60_000);

afterAll(async () => {
  await bus?.drain();
  await service?.end('SIGKILL');
  await registry?.end('SIGKILL');
  await nats?.close();
  if (folder) await removeFolder(folder);
});

const client = () => openai(() => service.url);
const sequence = { max_tokens: 256, packing: true, on_overflow: 'error' as const };
const upload = async (text: string) => {
  const { id } = await client().files.create({ file: await toFile(Buffer.from(text), 'rows.jsonl'), purpose: 'fine-tune' });
  await until(async () => (await client().files.retrieve(id)).status !== 'uploaded');
  return id;
};
const ask = (file: string, more: object = {}): Promise<RpcReply<'dataset.prepare'>> =>
  bus.request('dataset.prepare', { project: 'default', file, model: 'stories', task: 'chat', sequence, ...more }, { timeoutMs: 15_000 });
const prepared = async (file: string, more: object = {}): Promise<PreparedReply> => {
  const reply = await until(async () => {
    const answer = await ask(file, more);
    return answer.status === 'preparing' ? undefined : answer;
  });
  if (reply.status !== 'ready') throw new Error(JSON.stringify(reply));
  return reply.data;
};
const rows = (n: number, salt = '') =>
  jsonl(
    Array.from({ length: n }, (_, i) => ({
      messages: [
        { role: 'user', content: `Tell ${salt}${i}` },
        { role: 'assistant', content: `Once ${i} upon a time` },
      ],
    })),
  );

test('rows become shards that open, once for all who ask at the same time', async () => {
  const file = await upload(rows(300));
  const replies = await Promise.all(Array.from({ length: 6 }, () => ask(file)));
  expect(replies.every(({ status }) => status !== 'failed')).toBe(true);
  const data = await prepared(file);
  expect(data).toMatchObject({ examples: 300, truncated: 0, dropped: 0 });
  const local = join(folder, 'shards');
  for (const link of data.files) expect((await download(link, join(local, link.path))).sha256).toBe(link.sha256);
  const opened = await PreparedData.open(local);
  expect(opened.manifest).toMatchObject({ examples: 300, tokens: data.tokens, trained_tokens: data.trained_tokens });
  expect((await prepared(file)).hash).toBe(data.hash);
  const same = await upload(rows(300));
  expect((await prepared(same)).hash).toBe(data.hash);
  expect((await prepared(file, { sequence: { ...sequence, max_tokens: 128 } })).hash).not.toBe(data.hash);
  expect((await filesBelow(join(folder, 'objects', 'default', 'prepared'))).filter((path) => path.startsWith(data.hash))).toHaveLength(
    data.files.length,
  );
  // A job under way asks again after its file was deleted; another file's id, or another project's, is not found.
  await client().files.delete(file);
  await client().files.delete(same);
  expect((await prepared(file)).hash).toBe(data.hash);
  await expect(ask(mintId('file'))).rejects.toMatchObject({ code: 'file_not_found' });
  await expect(ask(file, { project: 'other' })).rejects.toMatchObject({ code: 'file_not_found' });
}, 60_000);

test('faults that only a tokenizer finds, and rows of another task', async () => {
  const long = await upload(
    jsonl([...Array.from({ length: 10 }, (_, i) => chatRow(i)), { messages: [{ role: 'assistant', content: 'long '.repeat(400) }] }]),
  );
  await until(async () => (await ask(long)).status === 'failed');
  expect(await ask(long)).toMatchObject({ status: 'failed', fault: { code: 'too_many_tokens', line: 11 } });
  const special = await upload(
    jsonl([...Array.from({ length: 10 }, (_, i) => chatRow(i)), { messages: [{ role: 'assistant', content: 'a </s> b' }] }]),
  );
  await until(async () => (await ask(special)).status === 'failed');
  expect(await ask(special)).toMatchObject({ fault: { code: 'special_token', line: 11 } });
  const chat = await upload(rows(20, 'task'));
  await until(async () => (await ask(chat, { task: 'completion' })).status === 'failed');
  const bad = await upload('not json\n');
  expect(await ask(bad)).toMatchObject({ status: 'failed', fault: { code: 'invalid_json', line: 1 } });
  await expect(ask(chat, { model: 'none' })).rejects.toMatchObject({ code: 'model_not_found' });
}, 60_000);

test('added tokens are tokens, and part of the address', async () => {
  const file = await upload(rows(40));
  const [plain, more] = [await prepared(file), await prepared(file, { added_tokens: ['upon a time'] })];
  expect(more.hash).not.toBe(plain.hash);
  expect(more.tokens).toBeLessThan(plain.tokens);
  expect((await prepared(file, { added_tokens: [] })).hash).toBe(plain.hash);
});

test('kill -9 during preparation: the same shards all the same', async () => {
  const file = await upload(rows(20_000, 'kill'));
  await ask(file);
  await new Promise((resolve) => setTimeout(resolve, 400));
  await service.end('SIGKILL');
  await service.start();
  const data = await prepared(file);
  expect(data.examples).toBe(20_000);
}, 60_000);

test('a result file is made once under its id, as plain CSV', async () => {
  const csv = 'step,train_loss\n1,2.5\n';
  const source = await client().files.create({ file: await toFile(Buffer.from(csv), 'x.csv'), purpose: 'user_data' });
  const link = await bus.request('dataset.get_content', { project: 'default', id: source.id });
  const request = { project: 'default', id: mintId('file'), filename: 'step_metrics.csv', purpose: 'fine-tune-results', source: link };
  const [first, second] = await Promise.all([
    bus.request('dataset.create_result_file', request),
    bus.request('dataset.create_result_file', request),
  ]);
  expect(first).toEqual(second);
  expect(await client().files.retrieve(request.id)).toMatchObject({ purpose: 'fine-tune-results', status: 'processed', bytes: csv.length });
  const content = await client().files.content(request.id);
  expect(content.headers.get('content-type')).toContain('text/csv');
  expect(await content.text()).toBe(csv);
}, 30_000);
