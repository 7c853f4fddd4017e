import { afterAll, beforeAll, expect } from '@jest/globals';
import { connect, type NatsConnection } from 'nats';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { natsConfig } from '../src/nats-config.js';

const present = natsServerPath() !== undefined;
const test = skipUnless(present, NATS_MISSING);
const USERS = ['trainer', 'dataset', 'trainer-pod'];

let server: NatsTestServer;
const open: Record<string, NatsConnection> = {};

beforeAll(async () => {
  if (!present) return;
  const passwords = new Map(USERS.map((user) => [user, JSON.stringify(`password of ${user}`)]));
  server = await startNatsServer(({ port, store }) => natsConfig(`127.0.0.1:${port}`, store, passwords));
  for (const user of USERS) {
    const connection = await connect({
      servers: server.url,
      user,
      pass: `password of ${user}`,
      inboxPrefix: `_INBOX.${user}`,
      timeout: 2000,
    });
    open[user] = connection;
  }
});

afterAll(async () => {
  for (const connection of Object.values(open)) await connection.close();
  await server?.close();
});

const as = (user: string): NatsConnection => open[user]!;
const DENIED = /permission|timeout|no responders|503/i;
const denied = (attempt: Promise<unknown>): Promise<void> => expect(attempt).rejects.toThrow(DENIED);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('nobody gets in without a user', async () => {
  await expect(connect({ servers: server.url, maxReconnectAttempts: 0 })).rejects.toThrow(/authorization/i);
});

test('a service uses its own buckets: create, update, read, watch, delete', async () => {
  for (const bucket of ['trainer', 'trainer-leases', 'trainer-creations', 'trainer-metrics']) {
    const kv = await as('trainer').jetstream().views.kv(bucket, { history: 2, ttl: 0 });
    const revision = await kv.create('job', 'queued');
    await kv.update('job', 'running', revision);
    expect((await kv.get('job'))?.string()).toBe('running');
    const watch = await kv.watch();
    for await (const entry of watch) {
      expect(entry.string()).toBe('running');
      break;
    }
    const keys: string[] = [];
    for await (const name of await kv.keys()) keys.push(name);
    expect(keys).toEqual(['job']);
    await kv.delete('job');
    await kv.purge('job');
  }
});

test('a service can neither read nor write nor make the bucket of another', async () => {
  const own = await as('trainer').jetstream().views.kv('trainer');
  await own.put('secret', 'mine');
  await denied(as('dataset').jetstream().views.kv('trainer', { timeout: 1000 }));
  await denied(as('dataset').jetstream({ timeout: 1000 }).publish('$KV.trainer.secret', encode('theirs')));
  await denied(as('dataset').request('$JS.API.DIRECT.GET.KV_trainer.$KV.trainer.secret', encode(''), { timeout: 1000 }));
  await denied(as('dataset').request('$JS.API.STREAM.DELETE.KV_trainer', encode(''), { timeout: 1000 }));
  expect((await own.get('secret'))?.string()).toBe('mine');
});

test('a service makes its work stream and consumer; a pod reads it, and can do nothing else to it', async () => {
  const manager = await as('trainer').jetstreamManager();
  await manager.streams.add({
    name: 'WORK-trainer',
    subjects: ['work.trainer.>'],
    retention: 'workqueue' as never,
    discard: 'new' as never,
    discard_new_per_subject: true,
    max_msgs_per_subject: 1,
  });
  await manager.consumers.add('WORK-trainer', { durable_name: 'train', ack_policy: 'explicit' as never });
  await as('trainer').jetstream().publish('work.trainer.train.job-1', encode('{}'));
  await denied(as('dataset').jetstream({ timeout: 1000 }).publish('work.trainer.train.job-2', encode('{}')));
  await denied(as('trainer-pod').jetstream({ timeout: 1000 }).publish('work.trainer.train.job-2', encode('{}')));

  const consumer = await as('trainer-pod').jetstream().consumers.get('WORK-trainer', 'train');
  const message = await consumer.next({ expires: 2000 });
  expect(message?.subject).toBe('work.trainer.train.job-1');
  expect(await message?.ackAck()).toBe(true);
  await denied(as('trainer-pod').request('$JS.API.STREAM.PURGE.WORK-trainer', encode(''), { timeout: 1000 }));
  await denied(as('trainer-pod').jetstream().views.kv('trainer', { timeout: 1000 }));
  expect((await manager.streams.info('WORK-trainer')).state.messages).toBe(0);
  await manager.streams.purge('WORK-trainer', { filter: 'work.trainer.train.job-1' });
});

test('requests reach the service they name and nobody else can answer for it', async () => {
  const answering = as('trainer').subscribe('rpc.trainer.sign', { queue: 'trainer' });
  const loop = (async () => {
    for await (const message of answering) message.respond(encode('signed'));
  })();
  await as('trainer').flush(); // else a request may overtake the subscription
  for (const user of ['dataset', 'trainer-pod']) {
    expect((await as(user).request('rpc.trainer.sign', encode('{}'), { timeout: 2000 })).string()).toBe('signed');
  }
  answering.unsubscribe();
  await loop;
  const impostor = as('dataset').subscribe('rpc.trainer.sign', { queue: 'trainer' });
  await expect(impostor[Symbol.asyncIterator]().next()).rejects.toThrow(DENIED);
  await denied(as('trainer-pod').request('rpc.dataset.get_file', encode('{}'), { timeout: 1000 }));
});

test('events are sent by their owner alone and heard by services; control hints reach the pod', async () => {
  const heard = as('dataset').subscribe('events.>', { max: 1, timeout: 2000 });
  const control = as('trainer-pod').subscribe('control.job-1', { max: 1, timeout: 2000 });
  await Promise.all([as('dataset').flush(), as('trainer-pod').flush()]);
  as('dataset').publish('events.trainer.forged', encode('')); // dropped by the server, which tells the client only by a status
  as('trainer').publish('events.trainer.succeeded', encode(''));
  as('trainer').publish('control.job-1', encode(''));
  for await (const message of heard) expect(message.subject).toBe('events.trainer.succeeded');
  for await (const message of control) expect(message.subject).toBe('control.job-1');
});
