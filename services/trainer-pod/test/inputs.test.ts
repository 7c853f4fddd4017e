import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ObjectLink } from '@tunefleet/contracts';
import { describeFolder } from '../src/artifacts/described.js';
import { openCache } from '../src/inputs/cache.js';

let folder: string;
let server: Server;
let served = 0;
const { signal } = new AbortController();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tunefleet-pod-test-'));
  served = 0;
  server = createServer((request, response) => {
    served++;
    response.end(request.url!.slice(1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const link = (path: string, content: string, hashed = content): ObjectLink => ({
  path,
  bytes: content.length,
  sha256: createHash('sha256').update(hashed).digest('hex'),
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${content}`,
});

test('inputs are downloaded once, checked, and placed under their paths', async () => {
  const cache = openCache(join(folder, 'cache'));
  await cache.place([link('a.txt', 'one'), link('b/c.txt', 'two')], join(folder, 'x'), signal);
  await cache.place([link('again.txt', 'one')], join(folder, 'y'), signal);
  expect(served).toBe(2);
  expect(await readFile(join(folder, 'x/b/c.txt'), 'utf8')).toBe('two');
  expect(await readFile(join(folder, 'y/again.txt'), 'utf8')).toBe('one');
  await cache.trim(0);
  expect(await readdir(join(folder, 'cache'))).toEqual([]);
  expect(await readFile(join(folder, 'x/a.txt'), 'utf8')).toBe('one');
});

test('an input that is not what its hash says, or lies outside its folder, is refused', async () => {
  const cache = openCache(join(folder, 'cache'));
  await expect(cache.place([link('a', 'bad', 'good')], join(folder, 'x'), signal)).rejects.toThrow('sha256');
  await expect(cache.place([link('../escaped', 'one')], join(folder, 'x'), signal)).rejects.toThrow('outside');
});

test('a folder is described in byte order, its manifest last', async () => {
  const cache = openCache(join(folder, 'cache'));
  await cache.place([link('manifest.json', 'j'), link('weights', 'w'), link('moments', 'm')], join(folder, 'x'), signal);
  expect((await describeFolder(join(folder, 'x'))).map(({ path }) => path)).toEqual(['moments', 'weights', 'manifest.json']);
});
