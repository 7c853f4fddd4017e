import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseRange } from '../src/folder-handler.js';
import { type ObjectStore, objectStoreFromConfig, openObjectStore } from '../src/index.js';
import { conformance } from './conformance.js';

const signingKey = 'k'.repeat(32);
let folder: string;
let store: ObjectStore;
let server: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tunefleet-objects-'));
  server = createServer((incoming, response) => void store.handle?.(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  store = await openObjectStore({ folder, url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`, signingKey });
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});

const residue = async (): Promise<string[]> => readdir(join(folder, '.tmp'));

describe('folder', () => {
  conformance(test, () => store, residue);

  // On S3 this is the server's doing: some (versitygw 1.8) keep the part that came. Readers check the sha256 of the manifest.
  test('a signed upload whose client hangs up leaves nothing', async () => {
    const url = await store.sign('PUT', 'p1/cut', 60);
    const client = request(url, { method: 'PUT', headers: { 'content-length': 20 * 1024 * 1024 } });
    client.on('error', () => {});
    client.write(Buffer.alloc(1024 * 1024));
    await sleep(150);
    client.destroy();
    await sleep(200);
    expect(await store.head('p1/cut')).toBeNull();
    expect(await residue()).toEqual([]);
    expect(await store.ready()).toBe(true);
  });

  test('folders that become empty go, and a put beside a delete never fails', async () => {
    await store.put('q/deep/er/a', Buffer.from('a'));
    await store.delete('q/deep/er/a');
    expect(await readdir(folder)).not.toContain('q');
    const puts = Array.from({ length: 60 }, (_, i) => store.put(`q/race/${i}`, Buffer.from('x')).then(() => store.delete(`q/race/${i}`)));
    await Promise.all(puts);
    expect(await readdir(folder)).not.toContain('q');
  });

  test('sweep removes temporary files of dead processes, not those being written', async () => {
    await writeFile(join(folder, '.tmp', 'old'), 'x');
    await utimes(join(folder, '.tmp', 'old'), 0, Date.now() / 1000 - 3700);
    await writeFile(join(folder, '.tmp', 'new'), 'x');
    expect(await store.sweep()).toBe(1);
    expect(await residue()).toEqual(['new']);
    await rm(join(folder, '.tmp', 'new'));
  });

  test('another signing key signs nothing here', async () => {
    const other = await openObjectStore({
      folder,
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      signingKey: 'o'.repeat(32),
    });
    await store.put('p/x', Buffer.from('x'));
    expect((await fetch(await other.sign('GET', 'p/x', 60))).status).toBe(403);
    expect((await fetch(await store.sign('GET', 'p/x', 60))).status).toBe(200);
  });
});

test.each([
  ['bytes=0-0', { start: 0, end: 0 }],
  ['bytes=5-', { start: 5, end: 9 }],
  ['bytes=-3', { start: 7, end: 9 }],
  ['bytes=2-99', { start: 2, end: 9 }],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=-', null],
  ['bytes=0-1,3-4', null],
  ['rows=1-2', null],
  [undefined, null],
])('range %s of 10 bytes', (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});

test('the environment names a folder or S3, whole and not both', async () => {
  await expect(objectStoreFromConfig({}, signingKey, '')).rejects.toThrow('expected TUNEFLEET_OBJECTS');
  await expect(objectStoreFromConfig({ TUNEFLEET_OBJECTS: 'x', AWS_ENDPOINT_URL_S3: 'http://s3' }, signingKey, '')).rejects.toThrow(
    'exclude each other',
  );
  await expect(objectStoreFromConfig({ AWS_ENDPOINT_URL_S3: 'http://s3' }, signingKey, '')).rejects.toThrow('expected AWS_REGION');
});
