import { afterAll, beforeAll, expect } from '@jest/globals';
import { ApiError } from '@tunefleet/contracts';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { type Bus, connect, currentContext, withContext } from '../src/index.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const file = {
  id: 'file-a',
  filename: 'a.jsonl',
  purpose: 'fine-tune',
  bytes: 1,
  status: 'processed' as const,
  sha256: 'x',
  rows: 1,
  kind: 'chat',
  fault: null,
};
const question = { project: 'default', id: 'file-a' };

const present = natsServerPath() !== undefined;
const test = skipUnless(present, NATS_MISSING);
let nats: NatsTestServer;
let dataset: Bus;
let trainer: Bus;

beforeAll(async () => {
  if (!present) return;
  nats = await startNatsServer(`authorization { users: [
    { user: dataset, password: one, permissions: { subscribe: ["rpc.dataset.>", "_INBOX.dataset.>", "events.>", "control.>"], publish: ["rpc.>", "_INBOX.>", "events.dataset.>", "control.>"] } },
    { user: trainer, password: two, permissions: { subscribe: ["rpc.trainer.>", "_INBOX.trainer.>", "events.>", "control.>"], publish: ["rpc.>", "_INBOX.>", "events.trainer.>", "control.>"] } } ] }`);
  dataset = await connect({ url: nats.url, creds: 'dataset:one', name: 'dataset', logger: quiet });
  trainer = await connect({ url: nats.url, creds: 'trainer:two', name: 'trainer', logger: quiet });
});
afterAll(async () => {
  await Promise.all([dataset?.drain(), trainer?.drain()]);
  await nats?.close();
});

test('a request is answered, and request id and trace go along', async () => {
  let seen: unknown;
  dataset.respond('dataset.get_file', async ({ id }, context) => {
    seen = { ...context, ...currentContext() };
    if (id === 'file-missing') throw new ApiError('file_not_found', 'No such file.', { param: 'training_file', detail: { id } });
    if (id === 'file-broken') throw new Error('a secret');
    if (id === 'file-slow') await new Promise((resolve) => setTimeout(resolve, 400));
    return file;
  });
  // the subscription has reached the server
  await dataset.connection.flush();
  const context = { requestId: 'req_1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
  expect(await withContext(context, () => trainer.request('dataset.get_file', question))).toEqual(file);
  expect(seen).toEqual(context);
});

test('an error keeps code, param and detail; an unforeseen one tells nothing', async () => {
  await expect(trainer.request('dataset.get_file', { ...question, id: 'file-missing' })).rejects.toMatchObject({
    code: 'file_not_found',
    param: 'training_file',
    detail: { id: 'file-missing' },
  });
  await expect(trainer.request('dataset.get_file', { ...question, id: 'file-broken' })).rejects.toMatchObject({
    code: 'internal_error',
    message: expect.not.stringContaining('secret'),
  });
});

test('bodies that do not match their schema are refused by path', async () => {
  await expect(trainer.request('dataset.get_file', { project: 'default' } as never)).rejects.toThrow(/Request dataset.get_file .*id/);
  dataset.respond('dataset.get_content', async () => ({ path: 1 }) as never);
  await dataset.connection.flush();
  await expect(trainer.request('dataset.get_content', question)).rejects.toThrow(/Reply of dataset.get_content/);
});

test('nobody there, too slow, aborted', async () => {
  await expect(trainer.request('inference.complete', {} as never)).rejects.toMatchObject({ code: 'internal_error' });
  await expect(dataset.request('evaluator.get_results', { project: 'p', eval: 'e', weights_sha256: [] })).rejects.toMatchObject({
    code: 'service_unavailable',
    retryAfterSeconds: 1,
  });
  const slow = { ...question, id: 'file-slow' };
  await expect(trainer.request('dataset.get_file', slow, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'service_unavailable' });
  await expect(trainer.request('dataset.get_file', slow, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    name: 'TimeoutError',
  });
});

test('another service’s method cannot be answered and its events not emitted', () => {
  expect(() => dataset.respond('trainer.sign', async () => ({ urls: {} }))).toThrow(/another service/);
  expect(() => dataset.emit('trainer.changed', {})).toThrow(/another service/);
});

test('events arrive, and after a killed server requests and events go on', async () => {
  const seen: unknown[] = [];
  const off = trainer.on('dataset.changed', (body) => void seen.push(body));
  await trainer.connection.flush();
  dataset.emit('dataset.changed', { id: 1 });
  while (seen.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  const reconnects = Promise.all([dataset, trainer].map((bus) => new Promise<void>((resolve) => bus.onReconnect(resolve))));
  await nats.kill();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(trainer.connected()).toBe(false);
  await nats.start();
  await reconnects;
  expect(trainer.connected()).toBe(true);
  // The server knows the subscriptions again once it has answered what was sent after them.
  await Promise.all([dataset, trainer].map((bus) => bus.connection.flush()));
  expect(await trainer.request('dataset.get_file', question)).toEqual(file);
  dataset.emit('dataset.changed', { id: 2 });
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(seen).toEqual([{ id: 1 }, { id: 2 }]);
  off();
});

test('a service that dies over a request is asked again as soon as its successor answers', async () => {
  const doomed = await connect({ url: nats.url, creds: 'dataset:one', name: 'dataset', logger: quiet });
  let taken = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    taken = resolve;
  });
  doomed.respond('dataset.jobs_fail', async () => {
    taken();
    return new Promise<never>(() => undefined);
  });
  await doomed.connection.flush();
  const error = { code: 'training_failed', message: 'x', param: null };
  const answer = trainer.request('dataset.jobs_fail', { queue: 'q', id: 'x', attempt: 1, error, retry: true }, { timeoutMs: 10_000 });
  await begun;
  await doomed.connection.close();
  dataset.respond('dataset.jobs_fail', async () => ({}));
  await dataset.connection.flush();
  expect(await answer).toEqual({});
});

test('drain lets a running handler answer', async () => {
  const extra = await connect({ url: nats.url, creds: 'dataset:one', name: 'dataset', logger: quiet });
  extra.respond('dataset.jobs_yield', async () => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return {};
  });
  await extra.connection.flush();
  const answer = trainer.request('dataset.jobs_yield', { queue: 'q', id: 'x', attempt: 1, reason: 'drained' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await extra.drain();
  expect(await answer).toEqual({});
});
