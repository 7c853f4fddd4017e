import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import * as t from '../../src/index.js';

const noise = (length: number, seed: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(at * 12.9898 + seed) * 2);
const digest = (tensors: Record<string, t.Tensor>): string => {
  const hash = createHash('sha256');
  for (const [name, { data }] of Object.entries(tensors)) hash.update(name).update(data);
  return hash.digest('hex');
};

/** Runs several times on each thread count; how many different results there were. */
const distinct = async (
  outputs: Record<string, t.Value>,
  feeds: Record<string, t.Feed>,
  runs: number,
  threads: readonly number[],
): Promise<number> => {
  const seen = new Set<string>();
  for (const count of threads) {
    const executable = await t.compile({ outputs, threads: count });
    for (let run = 0; run < runs; run++) {
      const results = await executable.run(feeds);
      seen.add(digest(results));
      t.releaseTensors(Object.values(results));
    }
    await executable.release();
  }
  return seen.size;
};

test('the gradient of an embedding with repeated ids is the same in 200 runs on 2 threads, and right', async () => {
  const g = new t.GraphBuilder();
  const table = g.parameter('table', [64, 48]);
  const ids = g.input('ids', 'i32', ['tokens']);
  const weight = g.input('weight', 'f32', ['tokens', 48]);
  const [gradient] = t.gradients(t.reduceSum(t.mul(t.gather(table, ids), weight)), [table]);
  const outputs = { gradient };
  const feeds = { ids: Int32Array.from({ length: 700 }, (_, at) => (at * at) % 7), weight: noise(700 * 48, 1) };
  expect(await distinct(outputs, feeds, 200, [2])).toBe(1);
  const executable = await t.compile({ outputs, threads: 2 });
  const found = (await executable.run(feeds))['gradient']!.data;
  await executable.release();
  const exact = t.evaluate(outputs, { ...feeds, table: new Float32Array(64 * 48) })['gradient']!.data;
  for (const [at, element] of exact.entries()) expect(found[at]! - element).toBeCloseTo(0, 3);
});

test('gradients of thin weights are the same bytes on 1 and 2 threads', async () => {
  const g = new t.GraphBuilder();
  const [x, target] = [g.input('x', 'f32', ['tokens', 192]), g.input('target', 'f32', ['tokens', 192])];
  const [a, b] = [g.parameter('a', [8, 192]), g.parameter('b', [192, 8])];
  const loss = t.reduceSum(t.square(t.sub(t.linear(t.linear(x, a), b), target)));
  const [da, db] = t.gradients(loss, [a, b]);
  const feeds = { x: noise(512 * 192, 1), target: noise(512 * 192, 2), a: noise(8 * 192, 3), b: noise(8 * 192, 4) };
  expect(await distinct({ loss, da, db }, feeds, 5, [1, 2])).toBe(1);
});
