import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { type Backbone, parseBackbone } from '@tunefleet/model-formats';
import { OPERATOR_CLASSES } from '@tunefleet/tensor';
import { estimateMemory, estimateRun, isRates, measureRates, memoryLimit, type PlannedRun, type Rates, train } from '../src/index.js';
import type { TrainingSpec } from '../src/spec.js';
import * as classification from './classifier-fixture.js';
import { expected, folderOf, recording, rowsOf, specOf } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const backboneOf = (name: string): Backbone => parseBackbone(JSON.parse(readFileSync(join(folderOf(name), 'config.json'), 'utf8')));
const base = backboneOf('tiny-llama');
const run: PlannedRun = {
  adapter: { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' },
  batch_size: 4,
  micro_batch_size: 2,
  steps: 10,
  data: { examples: 100, tokens: 20_000, trained_tokens: 10_000, longest: 400 },
};
const ONE = Object.fromEntries([...OPERATOR_CLASSES, 'update'].map((kind) => [kind, 1e9])) as never as Rates;

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
  const plain = estimateRun(base, run, ONE);
  expect(plain.error).toEqual({ seconds: expect.any(Number), peak_memory_bytes: expect.any(Number) });
  expect(plain.peak_memory_bytes).toBe(estimateMemory(base, run));
  const twice = estimateRun(base, { ...run, steps: 20 }, ONE);
  expect(twice.seconds).toBeGreaterThan(1.5 * plain.seconds);
  expect(twice.peak_memory_bytes).toBe(plain.peak_memory_bytes);
  const longer = estimateRun(base, { ...run, data: { ...run.data, tokens: 40_000, longest: 1000 } }, ONE);
  expect(longer.seconds).toBeGreaterThan(plain.seconds);
  expect(longer.peak_memory_bytes).toBeGreaterThan(plain.peak_memory_bytes);
  const lean = estimateRun(base, { ...run, memory: 'lean', data: { ...run.data, longest: 1000 } }, ONE);
  expect(lean.peak_memory_bytes).toBeLessThan(longer.peak_memory_bytes);
  expect(lean.seconds).toBeGreaterThan(plain.seconds);
  const full = estimateRun(base, { ...run, adapter: { type: 'full' } }, ONE);
  expect(full.seconds).toBeGreaterThan(0);
  expect(estimateMemory(base, { ...run, validation: { longest: 500 } })).toBeGreaterThan(plain.peak_memory_bytes);
});

test('a frozen backbone is run over once, so that more steps cost next to nothing', () => {
  const head: PlannedRun = {
    ...run,
    adapter: { type: 'full' },
    task: { type: 'classification', labels: ['a', 'b'] },
    freeze: { backbone: true },
  };
  const bert = backboneOf('tiny-bert-classifier');
  const [one, many] = [1, 100].map((steps) => estimateRun(bert, { ...head, steps }, ONE).seconds) as [number, number];
  const whole = [1, 100].map((steps) => estimateRun(bert, { ...head, freeze: undefined as never, steps }, ONE).seconds) as [number, number];
  expect(many - one).toBeLessThan((whole[1] - whole[0]) / 10);
  // More rows are more to run over.
  const more = estimateRun(bert, { ...head, steps: 1, data: { ...run.data, examples: 1000, tokens: 200_000 } }, ONE).seconds;
  expect(more).toBeGreaterThan(one);
});

interface Weighed {
  spec: () => Promise<TrainingSpec>;
  model: string;
  rows: number;
  tokens: number;
  validation?: number;
}

const llama = (adapter: 'lora' | 'full', changes: Partial<TrainingSpec> = {}) => {
  // The fixture's curves go on from an adapter; memory is that of a new one.
  return async (): Promise<TrainingSpec> => {
    const { continueFrom: _new, ...spec } = await specOf('tiny-llama', adapter);
    return { ...spec, epochs: 1, batch_size: 1, micro_batch_size: 1, max_steps: 3, ...changes };
  };
};
const classifier = (name: string, changes: Partial<TrainingSpec> = {}) => {
  return (): Promise<TrainingSpec> =>
    classification.specOf(folderOf(name), { batch_size: 64, micro_batch_size: 64, max_steps: 3, ...changes });
};

const WEIGHED: Readonly<Record<string, Weighed>> = {
  LoRA: { model: 'tiny-llama', spec: llama('lora'), rows: 4, tokens: 1000 },
  'LoRA on long rows': { model: 'tiny-llama', spec: llama('lora'), rows: 4, tokens: 3000 },
  'LoRA, lean': { model: 'tiny-llama', spec: llama('lora', { memory: 'lean' }), rows: 4, tokens: 2000 },
  'LoRA over int4': { model: 'tiny-llama', spec: llama('lora', { base_precision: 'int4' }), rows: 4, tokens: 1000 },
  'full tuning, validated': { model: 'tiny-llama', spec: llama('full'), rows: 4, tokens: 1000, validation: 4 },
  'accumulated micro-batches': { model: 'tiny-llama', spec: llama('full', { batch_size: 2 }), rows: 8, tokens: 1000 },
  'a BERT classifier': { model: 'tiny-bert-classifier', spec: classifier('tiny-bert-classifier'), rows: 256, tokens: 40 },
  'a Llama classifier': { model: 'tiny-llama-classifier', spec: classifier('tiny-llama-classifier'), rows: 256, tokens: 60 },
  'a frozen backbone': {
    model: 'tiny-bert-classifier',
    spec: classifier('tiny-bert-classifier', { freeze: { backbone: true } }),
    rows: 256,
    tokens: 40,
  },
};

test.each(Object.entries(WEIGHED))('memory of %s is what a process of its own takes: within 10 %% and 64 MB', async (_name, weighed) => {
  const { model, rows, tokens, validation } = weighed;
  const spec = await weighed.spec();
  const data = { examples: rows, tokens: rows * tokens, trained_tokens: rows * (tokens - 1), longest: tokens };
  const planned = estimateMemory(backboneOf(model), {
    ...spec,
    steps: 3,
    data,
    ...(validation ? { validation: { longest: tokens } } : {}),
  });
  const args = [join(import.meta.dirname, 'weighed-process.mjs'), JSON.stringify({ spec, rows, tokens, validation })];
  const measured = Number(execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } }));
  expect(Math.abs(planned - measured)).toBeLessThan(0.1 * measured + 64e6);
});

test('rates are measured for each class of operators; older ones that lack a class are no rates', async () => {
  const rates = await measureRates(1);
  expect(isRates(rates)).toBe(true);
  for (const rate of Object.values(rates)) expect(rate).toBeGreaterThan(1e6);
  const { dequantized: _missing, ...older } = rates;
  expect([isRates(older), isRates(null), isRates({ ...rates, update: 0 })]).toEqual([false, false, false]);
});

test('the memory that may be used is never more than what is declared', () => {
  expect(memoryLimit(1000)).toBe(1000);
  expect(memoryLimit()).toBeGreaterThan(1e8);
});
