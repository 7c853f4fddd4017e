import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseLlamaConfig } from '@tunefleet/model-formats';
import { estimateRun, measureRates, memoryLimit, type PlannedRun, train } from '../src/index.js';
import { expected, folderOf, recording, rowsOf, specOf } from './fixture.js';

const config = parseLlamaConfig(JSON.parse(readFileSync(join(folderOf('tiny-llama'), 'config.json'), 'utf8')));
const run: PlannedRun = {
  adapter: { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' },
  batch_size: 4,
  micro_batch_size: 2,
  steps: 10,
  data: { examples: 100, tokens: 20_000, trained_tokens: 10_000, longest: 400 },
};
const ONE = { product: 1e9, thinProduct: 1e9, elementwise: 1e9, transcendental: 1e9, movement: 1e9, update: 1e9 };

test('a run that cannot fit is refused before its first step, and says what is needed and what there is', async () => {
  const hooks = recording();
  const starved = await specOf('tiny-llama', 'lora', { memory_limit: 50e6 });
  await expect(train(starved, rowsOf(expected.rows), null, null, hooks)).rejects.toMatchObject({
    code: 'insufficient_memory',
    message: expect.stringMatching(/needs about \d+ MB, and there may be used 50 MB\. memory 'lean'/),
  });
  expect(hooks.rows).toEqual([]);
  await train(await specOf('tiny-llama', 'lora', { memory_limit: memoryLimit(), max_steps: 2 }), rowsOf(expected.rows), null, null, hooks);
  expect(hooks.rows).toHaveLength(2);
});

test('an estimate grows with steps, rows and their length; lean needs less memory and more time', () => {
  const base = estimateRun(config, run, ONE);
  expect(base.error).toEqual({ seconds: expect.any(Number), peak_memory_bytes: expect.any(Number) });
  const twice = estimateRun(config, { ...run, steps: 20 }, ONE);
  expect(twice.seconds).toBeGreaterThan(1.5 * base.seconds);
  expect(twice.peak_memory_bytes).toBe(base.peak_memory_bytes);
  const longer = estimateRun(config, { ...run, data: { ...run.data, tokens: 40_000, longest: 1000 } }, ONE);
  expect(longer.seconds).toBeGreaterThan(base.seconds);
  expect(longer.peak_memory_bytes).toBeGreaterThan(base.peak_memory_bytes);
  const lean = estimateRun(config, { ...run, memory: 'lean', data: { ...run.data, longest: 1000 } }, ONE);
  expect(lean.peak_memory_bytes).toBeLessThan(longer.peak_memory_bytes);
  expect(lean.seconds).toBeGreaterThan(base.seconds);
  const full = estimateRun(config, { ...run, adapter: { type: 'full' } }, ONE);
  expect(full.seconds).toBeGreaterThan(0);
});

test('rates are measured for each class of operators', async () => {
  for (const rate of Object.values(await measureRates(1))) expect(rate).toBeGreaterThan(1e6);
});

test('the memory that may be used is never more than what is declared', () => {
  expect(memoryLimit(1000)).toBe(1000);
  expect(memoryLimit()).toBeGreaterThan(1e8);
});
