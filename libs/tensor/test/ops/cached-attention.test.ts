import { expect, test } from '@jest/globals';
import { cachedAttention, compile, evaluate, GraphBuilder } from '../../src/index.js';

const noise = (length: number, step: number): Float32Array => Float32Array.from({ length }, (_, at) => 2 * Math.sin(step * at + step));

const SHAPE = { heads: 6, keyValueHeads: 2 };

/** @param capacity slots of the cache, `filled` of them in use */
const run = async (tokens: number, filled: number, capacity: number, threads: number, headSize = 8) => {
  const { heads, keyValueHeads } = SHAPE;
  const g = new GraphBuilder();
  const rows = (name: string, count: number) => g.input(name, 'f32', ['tokens', count, headSize]);
  const past = (name: string) => g.input(name, 'f32', [1, keyValueHeads, 'past', headSize]);
  const values = { q: rows('q', heads), k: rows('k', keyValueHeads), v: rows('v', keyValueHeads) };
  const { attended: y, ...caches } = cachedAttention(
    { ...SHAPE, headSize },
    { ...values, pastKeys: past('keys'), pastValues: past('values'), total: g.input('total', 'i32', []) },
  );
  const cache = (step: number) => {
    const data = noise(keyValueHeads * capacity * headSize, step);
    for (let at = 0; at < data.length; at++) if (Math.floor(at / headSize) % capacity >= filled) data[at] = Number.NaN; // never read
    return { data, shape: [1, keyValueHeads, capacity, headSize] };
  };
  const feeds = {
    q: noise(tokens * heads * headSize, 0.7),
    k: noise(tokens * keyValueHeads * headSize, 0.3),
    v: noise(tokens * keyValueHeads * headSize, 1.1),
    keys: cache(0.9),
    values: cache(0.5),
    total: Int32Array.of(filled + tokens),
  };
  const outputs = { y, grownKeys: caches.keys, grownValues: caches.values };
  const exact = evaluate(outputs, feeds);
  const executable = await compile({ outputs, threads, inPlace: { grownKeys: 'keys', grownValues: 'values' } });
  const found = await executable.run(feeds, undefined, { grownKeys: feeds.keys.data, grownValues: feeds.values.data });
  await executable.release();
  return { exact, found };
};

test.each([
  [1, 0, 1, 8],
  [7, 0, 7, 8],
  [7, 0, 16, 8],
  [1, 5, 8, 8],
  [1, 7, 8, 8],
  [1, 0, 8, 8],
  [3, 4, 16, 8],
  [1, 63, 64, 8],
  [7, 0, 8, 4],
  [1, 5, 8, 4],
  [3, 4, 16, 12],
])('%i tokens after %i in a cache of %i, heads of %i', async (tokens, filled, capacity, headSize) => {
  for (const threads of [1, 2]) {
    const { exact, found } = await run(tokens, filled, capacity, threads, headSize);
    expect(found['y']!.shape).toEqual(exact['y']!.shape);
    exact['y']!.data.forEach((wanted, at) => {
      expect(Math.abs(found['y']!.data[at]! - wanted)).toBeLessThan(2e-6);
    });
    // The caches are moved, not computed; what is not filled (NaN) is nobody's.
    for (const name of ['grownKeys', 'grownValues']) {
      exact[name]!.data.forEach((wanted, at) => {
        if (!Number.isNaN(wanted)) expect(found[name]!.data[at]).toBe(Math.fround(wanted));
      });
    }
  }
});

test('what it computes is softmax of the scaled scores over what a token may see', async () => {
  const { y } = (await run(1, 0, 1, 1)).exact;
  // One token sees itself alone: its own value, for each head the one that it shares.
  const v = noise(16, 1.1);
  expect([...y!.data]).toEqual(Array.from({ length: 48 }, (_, at) => v[Math.floor(at / 24) * 8 + (at % 8)]));
});
