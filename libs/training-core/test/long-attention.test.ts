import { expect, test } from '@jest/globals';
import { compile, memoryFigures, releaseTensors } from '@tunefleet/tensor';
import { recomputedOf } from '../src/loop/passes.js';
import { openTrainable } from '../src/model/open-trainable.js';
import { passGraph, type Recomputed } from '../src/model/pass-graph.js';
import { viewOf } from '../src/parameters.js';
import { relative, specOf, workFolder } from './fixture.js';

const TOKENS = 1500;

test('beyond 1,024 tokens attention is computed again: same loss and gradients, less memory', async () => {
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
    return { results: kept, peak: memoryFigures().peak };
  };
  // The leaner first: a peak only grows.
  const lean = await run('attention');
  const stored = await run('nothing');
  await model.close();
  // 4 heads of float32; of the square, blocks of queries keep little more than the half that they may see
  const probabilities = (4 * 4 * TOKENS ** 2) / 2;
  expect(stored.peak - lean.peak).toBeGreaterThan(probabilities);
  for (const [name, values] of Object.entries(stored.results)) {
    const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (const [at, value] of values.entries()) expect(Math.abs(lean.results[name]![at]! - value)).toBeLessThan(1e-5 * largest + 1e-9);
  }
  expect(relative(lean.results['loss']![0]!, stored.results['loss']![0]!)).toBeLessThan(1e-6);
});
