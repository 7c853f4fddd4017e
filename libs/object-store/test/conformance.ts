import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, type test as Test } from '@jest/globals';
import { DigestMismatch, download, ObjectMissing, type ObjectStore, TransferRefused, upload } from '../src/index.js';

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const read = async (store: ObjectStore, key: string, range = {}): Promise<Buffer> => buffer(await store.get(key, range));
const keysOf = async (store: ObjectStore, prefix: string): Promise<string[]> => {
  const keys = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
};

/** `chunks` times `size` bytes, then the end or an error. */
async function* blocks(chunks: number, size: number, then?: Error): AsyncGenerator<Buffer> {
  for (let i = 0; i < chunks; i += 1) yield Buffer.alloc(size, i);
  if (then) throw then;
}

/** What every store must do. `residue` lists what half-finished writes left behind, by the store's own means. */
export function conformance(test: typeof Test | typeof Test.skip, store: () => ObjectStore, residue: () => Promise<string[]>): void {
  test('what is put is read back, with its size and sha256, and replaced whole', async () => {
    const bytes = randomBytes(100_000);
    await expect(store().put('p1/files/a.bin', Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]))).resolves.toEqual({
      bytes: 100_000,
      sha256: sha256(bytes),
    });
    expect((await read(store(), 'p1/files/a.bin')).equals(bytes)).toBe(true);
    expect(await store().head('p1/files/a.bin')).toEqual({ bytes: 100_000 });
    await store().put('p1/files/a.bin', Buffer.from('short'));
    expect((await read(store(), 'p1/files/a.bin')).toString()).toBe('short');
    await store().put('p1/files/empty', new Uint8Array(0));
    expect(await store().head('p1/files/empty')).toEqual({ bytes: 0 });
    expect(await read(store(), 'p1/files/empty')).toHaveLength(0);
  });

  test('ranges include both ends', async () => {
    await store().put('p1/range', Buffer.from('0123456789'));
    expect((await read(store(), 'p1/range', { start: 2, end: 4 })).toString()).toBe('234');
    expect((await read(store(), 'p1/range', { start: 7 })).toString()).toBe('789');
    expect((await read(store(), 'p1/range', { end: 0 })).toString()).toBe('0');
    expect((await read(store(), 'p1/range', { start: 0, end: 9 })).toString()).toBe('0123456789');
  });

  test('an absent key is told apart; deleting it is no error', async () => {
    await expect(store().get('p1/absent')).rejects.toBeInstanceOf(ObjectMissing);
    expect(await store().head('p1/absent')).toBeNull();
    await store().delete('p1/absent');
    await store().put('p1/present', Buffer.from('x'));
    await store().delete('p1/present');
    expect(await store().head('p1/present')).toBeNull();
  });

  test.each([
    '',
    '/a',
    'a//b',
    'a/',
    '../a',
    'a/../../etc/passwd',
    'a/./b',
    '.tmp/x',
    'a\\b',
    'a\0b',
    'a b',
    'a/%2e%2e/b',
    'é',
    'x'.repeat(1000),
  ])('the key %j is refused', async (key) => {
    await expect(store().put(key, Buffer.from('x'))).rejects.toThrow('not a legal object key');
    await expect(store().get(key)).rejects.toThrow('not a legal object key');
    await expect(store().head(key)).rejects.toThrow('not a legal object key');
    await expect((async () => store().sign('GET', key, 60))()).rejects.toThrow('not a legal object key');
  });

  test('lists page beyond 1,000 keys in byte order, and a prefix is deleted without its neighbours', async () => {
    const names = Array.from({ length: 1100 }, (_, i) => `big/${i % 2 ? 'a' : 'a-b'}/${String(i).padStart(5, '0')}`);
    for (let i = 0; i < names.length; i += 50) await Promise.all(names.slice(i, i + 50).map((key) => store().put(key, Buffer.from(key))));
    await store().put('bigger/one', Buffer.from('stays'));
    expect(await keysOf(store(), 'big/')).toEqual([...names].sort());
    expect(await keysOf(store(), 'big/a/')).toHaveLength(550);
    for await (const object of store().list('bigger/')) {
      expect(object).toMatchObject({ key: 'bigger/one', bytes: 5 });
      expect(Math.abs(object.modified.getTime() - Date.now())).toBeLessThan(60_000);
    }
    await store().deletePrefix('big/');
    expect(await keysOf(store(), 'big/')).toEqual([]);
    expect(await keysOf(store(), 'bigger/')).toEqual(['bigger/one']);
    await expect((async () => store().deletePrefix('bigger'))()).rejects.toThrow('not a legal object prefix');
  }, 60_000);

  test('70 MiB and a bit go through in parts with bounded memory', async () => {
    const before = process.memoryUsage().rss;
    let peak = 0;
    const source = Readable.from(
      (async function* () {
        for await (const block of blocks(70, MIB)) {
          peak = Math.max(peak, process.memoryUsage().rss);
          yield block;
        }
        yield Buffer.from('tail');
      })(),
      { objectMode: true, highWaterMark: 1 },
    );
    const stored = await store().put('p1/large', source);
    expect(stored.bytes).toBe(70 * MIB + 4);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of await store().get('p1/large')) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    expect({ bytes, sha256: hash.digest('hex') }).toEqual(stored);
    expect((await read(store(), 'p1/large', { start: 70 * MIB })).toString()).toBe('tail');
    expect(peak - before).toBeLessThan(150 * MIB); // garbage of parts included
    await store().delete('p1/large');
  }, 60_000);

  test.each([
    ['small', 3, 1000],
    ['of several parts', 20, MIB],
  ])('a source that fails midway (%s) rejects, keeps what was there and leaves nothing', async (_, chunks, size) => {
    await store().put('p1/kept', Buffer.from('before'));
    await expect(store().put('p1/kept', Readable.from(blocks(chunks, size, new Error('source broke'))))).rejects.toThrow('source broke');
    await expect(store().put('p1/never', Readable.from(blocks(chunks, size, new Error('source broke'))))).rejects.toThrow('source broke');
    const broken = new Readable({ read() {} });
    broken.destroy(new Error('broken before the first read'));
    await expect(store().put('p1/never', broken)).rejects.toThrow('broken before');
    expect((await read(store(), 'p1/kept')).toString()).toBe('before');
    expect(await store().head('p1/never')).toBeNull();
    expect(await residue()).toEqual([]);
  });

  test('an aborted put rejects and leaves nothing', async () => {
    const stop = new AbortController();
    const endless = Readable.from(
      (async function* () {
        for (let i = 0; ; i += 1) {
          if (i === 20) stop.abort();
          yield Buffer.alloc(MIB, i);
          await sleep(1);
        }
      })(),
    );
    await expect(store().put('p1/aborted', endless, { signal: stop.signal })).rejects.toThrow(/abort/i);
    expect(endless.destroyed).toBe(true);
    await expect(store().put('p1/aborted', Buffer.from('x'), { signal: stop.signal })).rejects.toThrow(/abort/i);
    expect(await store().head('p1/aborted')).toBeNull();
    expect(await residue()).toEqual([]);
  });

  test('a client that hangs up in mid-upload leaves nothing and no uncaught exception', async () => {
    const outcome: Promise<unknown>[] = [];
    const server = createServer((incoming, response) => {
      outcome.push(
        store()
          .put('p1/hangup', incoming)
          .finally(() => response.end()),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = request({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      method: 'PUT',
      headers: { 'content-length': 50 * MIB },
    });
    client.on('error', () => {});
    for (let i = 0; i < 12; i += 1) client.write(Buffer.alloc(MIB, i));
    await sleep(200);
    client.destroy();
    await sleep(50);
    await expect(outcome[0]).rejects.toThrow();
    expect(await store().head('p1/hangup')).toBeNull();
    expect(await residue()).toEqual([]);
    server.close();
    server.closeAllConnections();
  });

  test('signed URLs: one method, one object, until they expire', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tunefleet-transfer-'));
    const file = join(folder, 'sub', 'got.bin');
    const bytes = randomBytes(300_000);
    await writeFile(join(folder, 'sent.bin'), bytes);
    const put = await store().sign('PUT', 'p1/jobs/j1/attempts/1/w.bin', 60);
    expect(await upload(put, join(folder, 'sent.bin'))).toEqual({ bytes: 300_000, sha256: sha256(bytes) });
    const get = await store().sign('GET', 'p1/jobs/j1/attempts/1/w.bin', 60);
    expect(await download(get, file)).toEqual({ bytes: 300_000, sha256: sha256(bytes) });
    expect((await readFile(file)).equals(bytes)).toBe(true);
    const part = await fetch(get, { headers: { range: 'bytes=10-19' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true);

    await rm(file);
    const wrong = { path: 'w.bin', bytes: 300_000, sha256: '0'.repeat(64), url: get };
    await expect(download(wrong, file)).rejects.toBeInstanceOf(DigestMismatch);
    expect(await readdir(join(folder, 'sub'))).toEqual([]);

    expect((await fetch(put)).status).toBe(403);
    expect((await fetch(get, { method: 'PUT', body: 'x' })).status).toBe(403);
    expect((await fetch(get, { method: 'DELETE' })).status).toBeGreaterThanOrEqual(400);
    await store().put('p1/other', Buffer.from('other'));
    expect((await fetch(get.replace('p1/jobs/j1/attempts/1/w.bin', 'p1/other'))).status).toBe(403);
    const forged = get.replace(/(Signature|signature)=(.)/, (_, name: string, first: string) => `${name}=${first === 'a' ? 'b' : 'a'}`);
    expect((await fetch(forged)).status).toBe(403);
    const later = get.replace(/(X-Amz-Expires=)60|(expires=)(\d+)/, (_, s3?: string, own?: string, at?: string) =>
      s3 ? `${s3}600` : `${own}${Number(at) + 600}`,
    );
    expect(later).not.toBe(get);
    expect((await fetch(later)).status).toBe(403);

    const brief = await store().sign('GET', 'p1/other', 1);
    expect((await fetch(brief)).status).toBe(200);
    await sleep(2100);
    const refused = await download(brief, file).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TransferRefused);
    expect(refused).toMatchObject({ status: 403 });
    expect(String(refused)).not.toContain('http');

    const absent = await store().sign('GET', 'p1/none', 60);
    await expect(download(absent, file)).rejects.toMatchObject({ status: 404 });
    await expect((async () => store().sign('GET', 'p1/other', 901))()).rejects.toThrow('1 to 900 s');
    await rm(folder, { recursive: true });
  }, 20_000);
}
