import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import {
  float32Tensor,
  llamaTensorShapes,
  openLlamaFolder,
  readLoraFolder,
  writeLlamaFolder,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import { dequantizeInt4, quantizeInt4, RowEngine } from '@tunefleet/tensor';
import { type BasePrecision, openBaseWeights } from '../src/base-weights.js';
import { llamaLinears } from '../src/families/linears.js';
import { KeyValueCache, memoryOf } from '../src/generation/cache.js';
import { Decoder } from '../src/generation/decoder.js';
import { type GenerateRequest, openGenerator } from '../src/generation/generator.js';
import { expected, folderOf, type ModelName } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const MODELS: ModelName[] = ['tiny-llama', 'tiny-tied'];

const request = (ids: number[], changes: Partial<GenerateRequest> = {}): GenerateRequest => ({
  ids,
  max_tokens: 40,
  temperature: 0,
  top_p: 1,
  seed: 0,
  stop_ids: [],
  ...changes,
});

async function collect(tokens: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}

test.each(MODELS)(
  'logits of %s equal transformers in float64 as closely as transformers in float32, with and without cache',
  async (name) => {
    const { ids, logits, transformers_float32_error } = expected[name];
    const base = await openBaseWeights(folderOf(name));
    const decoder = await Decoder.compile(base, { threads: 1, adapted: false });
    const largest = Math.max(...logits.flat().map(Math.abs));
    const bound = Math.min(2 * transformers_float32_error, 1e-4 * largest);
    const cache = new KeyValueCache(base.config);
    const engine = new RowEngine({ threads: 2 });
    const alone = await Decoder.compile(base, { threads: 1, adapted: false, engine });
    const shared = new KeyValueCache(base.config, memoryOf(engine));
    for (const [position, wanted] of logits.entries()) {
      const cached = await decoder.step(Int32Array.of(ids[position]!), cache, null);
      const whole = await decoder.step(Int32Array.from(ids.slice(0, position + 1)), new KeyValueCache(base.config), null);
      const byRows = await alone.step(Int32Array.of(ids[position]!), shared, null);
      const errorOf = (found: Float32Array): number => Math.max(...wanted.map((logit, id) => Math.abs(logit - found[id]!)));
      for (const found of [cached, whole]) expect(errorOf(found)).toBeLessThan(bound);
      // WebAssembly rounds each product and each sum. With 12 columns that shows; of SmolLM2-135M-Instruct's logits the error is half of transformers' (docs/benchmarks.md).
      expect(errorOf(byRows)).toBeLessThan(1.25 * bound);
    }
    await decoder.release();
    await alone.release();
    await engine.release();
    await base.release();
  },
);

test.each(MODELS)('greedy generation of %s gives the ids of transformers', async (name) => {
  const generator = await openGenerator({ base: folderOf(name) });
  const { prompt, tokens } = expected[name].greedy;
  const generation = generator.generate(request(prompt));
  expect(await collect(generation)).toEqual(tokens);
  expect(generation.finish_reason).toBe('length');
  await generator.close();
});

test('over a 4-bit base a text is that of the dequantized base, with and without an adapter', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tunefleet-dequantized-'));
  const { config, weights } = await openLlamaFolder(folderOf('tiny-llama'));
  const linear = new Set(llamaLinears(config).map(({ name }) => `${name}.weight`));
  const tensors = [];
  for (const [name, shape] of llamaTensorShapes(config)) {
    const data = await weights.float32(name);
    const [rows, columns] = shape as [number, number];
    tensors.push(float32Tensor(name, shape, linear.has(name) ? dequantizeInt4(quantizeInt4(data, rows, columns), rows, columns) : data));
  }
  await weights.close();
  await writeLlamaFolder(join(folder, 'base'), config, tensors);
  const { prompt } = expected['tiny-llama'].greedy;
  const texts = async (base: string, precision: BasePrecision): Promise<number[][]> => {
    const generator = await openGenerator({ base, precision });
    const made = [];
    for (const adapter of [null, folderOf('tiny-llama-lora')]) made.push(await collect(generator.generate(request(prompt, { adapter }))));
    await generator.close();
    return made;
  };
  const rounded = await texts(folderOf('tiny-llama'), 'int4');
  expect(rounded).toEqual(await texts(join(folder, 'base'), 'float32'));
  expect(rounded).not.toEqual(await texts(folderOf('tiny-llama'), 'float32'));
  await rm(folder, { recursive: true });
});

test('a stop id ends a generation and is not given; the longest text ends it too', async () => {
  const generator = await openGenerator({ base: folderOf('tiny-llama') });
  const { prompt, tokens } = expected['tiny-llama'].greedy;
  const stopped = generator.generate(request(prompt, { stop_ids: [tokens[5]!] }));
  expect(await collect(stopped)).toEqual(tokens.slice(0, tokens.indexOf(tokens[5]!)));
  expect(stopped.finish_reason).toBe('stop');
  const long = generator.generate(request(prompt, { max_tokens: 1000 }));
  expect((await collect(long)).length).toBe(generator.config.maxPositions - prompt.length);
  expect(long.finish_reason).toBe('length');
  await generator.close();
});

test('sampling is a function of the seed; a tiny nucleus is greedy', async () => {
  const generator = await openGenerator({ base: folderOf('tiny-llama') });
  const { prompt, tokens } = expected['tiny-llama'].greedy;
  const drawn = (changes: Partial<GenerateRequest>) => collect(generator.generate(request(prompt, { temperature: 1, ...changes })));
  expect(await drawn({ seed: 3 })).toEqual(await drawn({ seed: 3 }));
  expect(await drawn({ seed: 3 })).not.toEqual(await drawn({ seed: 4 }));
  expect(await drawn({ top_p: 1e-6 })).toEqual(tokens);
  await generator.close();
});

test('requests that overlap, and adapters over one base, do not disturb each other', async () => {
  const name = 'tiny-llama';
  const folder = await mkdtemp(join(tmpdir(), 'tunefleet-adapters-'));
  const initial = await readLoraFolder(folderOf(`${name}-lora`));
  const strong = {
    ...initial,
    pairs: new Map([...initial.pairs].map(([module, pair]) => [module, { ...pair, b: pair.b.map((_, i) => ((i % 7) - 3) / 10) }])),
  };
  await writeLoraFolder(join(folder, 'strong'), strong);
  await cp(folderOf(`${name}-lora`), join(folder, 'zero'), { recursive: true });
  const generator = await openGenerator({ base: folderOf(name) });
  const { prompt, tokens } = expected[name].greedy;
  const run = (adapter: string | null) => collect(generator.generate(request(prompt, { adapter })));
  const [plain, zero, strongOnce, strongAgain] = await Promise.all([
    run(null),
    run(join(folder, 'zero')),
    run(join(folder, 'strong')),
    run(join(folder, 'strong')),
  ]);
  expect(plain).toEqual(tokens);
  expect(zero).toEqual(tokens);
  expect(strongOnce).not.toEqual(tokens);
  expect(strongAgain).toEqual(strongOnce);
  await generator.close();
  await rm(folder, { recursive: true });
});

test('an aborted signal ends a generation with its reason; a bad prompt is refused', async () => {
  const generator = await openGenerator({ base: folderOf('tiny-llama') });
  const abort = new AbortController();
  const seen: number[] = [];
  const aborted = (async () => {
    for await (const token of generator.generate(request([1, 5], { signal: abort.signal }))) {
      seen.push(token);
      if (seen.length === 3) abort.abort(new Error('the client left'));
    }
  })();
  await expect(aborted).rejects.toThrow('the client left');
  expect(seen).toHaveLength(3);
  await expect(collect(generator.generate(request([])))).rejects.toThrow(RangeError);
  await expect(collect(generator.generate(request([64])))).rejects.toThrow('vocabulary');
  await generator.close();
});

test('log-probabilities are those of the logits', async () => {
  const generator = await openGenerator({ base: folderOf('tiny-llama') });
  const entries: { id: number; logprob: number; top: { id: number; logprob: number }[] }[] = [];
  const ids = await collect(
    generator.generate(request([1, 5, 9], { max_tokens: 4, top_logprobs: 64, onLogprobs: (entry) => entries.push(entry) })),
  );
  expect(entries.map(({ id }) => id)).toEqual(ids);
  for (const { id, logprob, top } of entries) {
    expect(top[0]).toEqual({ id, logprob });
    expect(top.reduce((sum, entry) => sum + Math.exp(entry.logprob), 0)).toBeCloseTo(1, 5);
  }
  await generator.close();
});
