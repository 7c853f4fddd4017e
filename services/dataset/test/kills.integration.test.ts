import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { toFile } from 'openai';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { chatRows, filesBelow, identity, makeFolder, openai, removeFolder, ServiceProcess, until } from './fleet.js';

const MIB = 1024 * 1024;
const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
let nats: NatsTestServer;
let folder: string;
let service: ServiceProcess;

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  folder = await makeFolder();
  nats = await startNatsServer();
  service = new ServiceProcess('dataset', {
    NATS_URL: nats.url,
    TMPDIR: folder,
    TUNEFLEET_OBJECTS: join(folder, 'objects'),
    TUNEFLEET_LEASE_MS: '1500',
  });
  await service.start();
}, 60_000);

afterAll(async () => {
  await service?.end('SIGKILL');
  await nats?.close();
  if (folder) await removeFolder(folder);
});

const client = () => openai(() => service.url);
const rows = async (id: string) =>
  ((await (await fetch(`${service.url}/v1/files/${id}/validation`, { headers: identity() })).json()) as { rows: number | null }).rows;

test('kill -9 at any moment of validation: it ends all the same, once, and quickly', async () => {
  const text = chatRows(30_000);
  for (const wait of [0, 60, 250, 600, 1200]) {
    const file = await client().files.create({ file: await toFile(Buffer.from(text), 'rows.jsonl'), purpose: 'fine-tune' });
    await sleep(wait);
    await service.end('SIGKILL');
    await service.start();
    const done = await until(async () => {
      const now = await client().files.retrieve(file.id);
      return now.status === 'uploaded' ? undefined : now;
    });
    expect(done.status).toBe('processed');
    expect(await rows(file.id)).toBe(30_000);
    await client().files.delete(file.id);
  }
  expect(await filesBelow(join(folder, 'objects'))).toEqual([]);
  expect((await filesBelow(join(folder, 'tunefleet-dataset'))).filter((path) => !path.startsWith(String(service.pid)))).toEqual([]);
}, 120_000);

test('kill -9 in mid-upload: no file, no object; the client sends it again', async () => {
  const half = request(`${service.url}/v1/files`, {
    method: 'POST',
    headers: { ...identity(), 'content-type': 'multipart/form-data; boundary=b', 'content-length': 50 * MIB },
  });
  half.on('error', () => {});
  half.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n');
  for (let i = 0; i < 10; i += 1) half.write(Buffer.alloc(MIB, 65));
  await until(async () => (await filesBelow(join(folder, 'objects', '.tmp'))).length > 0);
  await service.end('SIGKILL');
  await service.start();
  expect((await client().files.list()).data).toEqual([]);
  // What is left is a temporary file, which `sweep` of the store removes after an hour.
  expect((await filesBelow(join(folder, 'objects'))).filter((path) => !path.startsWith('.tmp'))).toEqual([]);
}, 30_000);

test('kill -9 while many uploads end: each answered file is whole, each file listed is whole', async () => {
  const answered: string[] = [];
  const sends = Array.from({ length: 12 }, async (_, i) => {
    await sleep(i * 15);
    const file = await client().files.create({ file: await toFile(Buffer.alloc(200_000, 65 + i), `${i}`), purpose: 'user_data' });
    answered.push(file.id);
  });
  await sleep(120);
  await service.end('SIGKILL');
  await Promise.allSettled(sends);
  await service.start();
  const listed = (await client().files.list()).data;
  expect(listed.map(({ id }) => id)).toEqual(expect.arrayContaining(answered));
  for (const file of listed) expect((await (await client().files.content(file.id)).arrayBuffer()).byteLength).toBe(200_000);
  for (const file of listed) await client().files.delete(file.id);
}, 60_000);

test('nats-server killed and back: uploads go on', async () => {
  await nats.kill();
  await sleep(300);
  await nats.start();
  const file = await until(async () =>
    client().files.create({ file: await toFile(Buffer.from(chatRows(12)), 'a.jsonl'), purpose: 'fine-tune' }),
  );
  await until(async () => (await client().files.retrieve(file.id)).status === 'processed');
}, 60_000);

test('the event loop stays free while rows are looked at, and SIGTERM ends with 0', async () => {
  const file = await client().files.create({ file: await toFile(Buffer.from(chatRows(200_000)), 'large.jsonl'), purpose: 'fine-tune' });
  let worst = 0;
  while ((await client().files.retrieve(file.id)).status === 'uploaded') {
    const started = performance.now();
    await fetch(`${service.url}/health/live`);
    worst = Math.max(worst, performance.now() - started);
    await sleep(5);
  }
  expect(await rows(file.id)).toBe(200_000);
  expect(worst).toBeLessThan(400); // two busy cores; a blocked loop would take seconds
  expect(await service.end('SIGTERM')).toBe(0);
}, 60_000);
