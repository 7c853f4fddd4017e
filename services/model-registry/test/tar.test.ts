import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type TarFile, tarOf } from '../src/domain/tar.js';

const time = new Date(1_700_000_000_000);
const file = (path: string, bytes: number, read: TarFile['read']): TarFile => ({ path, bytes, read });

test('the same files give the same bytes, whatever blocks they come in, and the end is marked', async () => {
  const tar = (parts: string[]) =>
    buffer(
      tarOf(
        [
          file('a.txt', 6, async function* () {
            for (const part of parts) yield Buffer.from(part);
          }),
        ],
        time,
        async () => undefined,
      ),
    );
  const whole = await tar(['abcdef']);
  expect(await tar(['a', 'bcd', 'ef'])).toEqual(whole);
  expect(whole.length % 512).toBe(0);
  expect(whole.subarray(-1024).every((byte) => byte === 0)).toBe(true);
});

test('a reader that leaves ends the source, and what was held for it is let go', async () => {
  let source = 'reading';
  let held = true;
  const endless = file('a', 1e9, async function* () {
    try {
      for (;;) yield new Uint8Array(65_536);
    } finally {
      source = 'ended';
    }
  });
  const stream = tarOf([endless], time, async () => {
    held = false;
  });
  await once(stream, 'readable');
  stream.destroy();
  for (let waited = 0; held && waited < 2000; waited += 10) await setTimeout(10);
  await setTimeout(10);
  expect({ source, held }).toEqual({ source: 'ended', held: false });
});

test.each<[string, TarFile['read']]>([
  [
    'breaks off',
    async function* () {
      yield new Uint8Array(10);
      throw new Error('the store is away');
    },
  ],
  [
    'is shorter than it said',
    async function* () {
      yield new Uint8Array(10);
    },
  ],
])('an archive of a file that %s has no end', async (_what, read) => {
  let held = true;
  const stream = tarOf([file('a', 100, read)], time, async () => {
    held = false;
  });
  await expect(buffer(stream)).rejects.toThrow();
  await setTimeout(10);
  expect(held).toBe(false);
});
