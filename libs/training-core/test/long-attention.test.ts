import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compile, releaseTensors } from '@tunefleet/tensor';
import { recomputedOf } from '../src/loop/passes.js';
import { openTrainable } from '../src/model/open-trainable.js';
import { passGraph, type Recomputed } from '../src/model/pass-graph.js';
import { viewOf } from '../src/parameters.js';
import { relative, specOf, workFolder } from './fixture.js';

const TOKENS = 1500;
/** Where memory is weighed: probabilities are then far above everything else. */
const LONG = 3000;

test('beyond 1,024 tokens attention is computed again: same loss and gradients', async () => {
  const spec = await specOf('tiny-llama', 'full');
  const model = await openTrainable(spec, await workFolder());
  const parameters = new Float32Array(model.layout.size);
  await model.initialize(parameters);
  const ids = Int32Array.from({ length: TOKENS + 1 }, (_, at) => (at * 7) % 60);
  const batch = model.network.batch([{ ids, weights: new Float32Array(TOKENS + 1).fill(1) }])!;
  expect([recomputedOf(batch, false), recomputedOf(batch, true)]).toEqual(['attention', 'layers']);
  const feeds = { ...batch.feeds, ...Object.fromEntries(model.layout.slots.map((slot) => [slot.name, viewOf(parameters, slot)])) };
  const run = async (recomputed: Recomputed) => {
    const graph = await compile({ ...passGraph(model, true, recomputed) });
    const results = await graph.run(feeds);
    const kept = Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Float32Array.from(data)]));
    releaseTensors(Object.values(results));
    await graph.release();
    return kept;
  };
  const lean = await run('attention');
  const stored = await run('nothing');
  await model.close();
  for (const [name, values] of Object.entries(stored)) {
    const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (const [at, value] of values.entries()) expect(Math.abs(lean[name]![at]! - value)).toBeLessThan(1e-5 * largest + 1e-9);
  }
  expect(relative(lean['loss']![0]!, stored['loss']![0]!)).toBeLessThan(1e-6);
});

test('beyond 1,024 tokens attention that is computed again takes less memory', async () => {
  const spec = await specOf('tiny-llama', 'full');
  // In processes of their own: a peak only grows.
  const peak = async (recomputed: Recomputed): Promise<number> => {
    const args = [join(import.meta.dirname, 'pass-process.mjs'), JSON.stringify(spec), String(LONG), recomputed, await workFolder()];
    return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  };
  // Two layers, of which one is kept less: 4 heads of float32, and of the square 10 of 16 blocks (4 of queries, each with the keys up to its end). The arena's
  // regions hide about half of it.
  const probabilities = (4 * 4 * LONG ** 2 * 10) / 16;
  expect((await peak('nothing')) - (await peak('attention'))).toBeGreaterThan(probabilities / 3);
});
