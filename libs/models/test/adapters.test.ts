import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import {
  type LoraConfig,
  loraMatcher,
  mergedModel,
  openLlamaFolder,
  readLoraFolder,
  writeLlamaFolder,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import { RowEngine } from '@tunefleet/tensor';
import { adaptableLanguageModel } from '../src/adapters/adaptable.js';
import { languageAdapterFault, loraFault } from '../src/adapters/fits-base.js';
import { adaptedLinears, initialLoraPair } from '../src/adapters/lora.js';
import { savedTensors } from '../src/adapters/saved-modules.js';
import { openBaseWeights } from '../src/base-weights.js';
import { KeyValueCache, memoryOf } from '../src/generation/cache.js';
import { adapterFeeds, Decoder } from '../src/generation/decoder.js';
import { openGenerator } from '../src/generation/generator.js';
import { randomStream } from '../src/random/stream.js';
import { folderOf } from './fixture.js';

jest.setTimeout(60_000);

interface Case {
  base: string;
  /** PEFT's in float64, of each token of `ids` */
  logits: number[][];
}

/** What PEFT said of its adapters and of ours (fixtures/make_adapters.py). */
const expected = JSON.parse(readFileSync(folderOf('adapters.json'), 'utf8')) as {
  ids: number[];
  adapters: Record<string, Case>;
  ours: Record<string, Case>;
  /** transformers' of ours-merged */
  merged: Case;
};

/** Largest difference from PEFT's logits, as a share of the largest. */
async function difference(adapterFolder: string, { base: name, logits }: Case): Promise<number> {
  const base = await openBaseWeights(folderOf(name));
  const adapter = await readLoraFolder(adapterFolder);
  const feeds = adapterFeeds(base.config, adapter);
  const engine = new RowEngine({ threads: 2 });
  let worst = 0;
  // Single tokens by ONNX Runtime, and by the row engine.
  for (const rows of [undefined, engine]) {
    const decoder = await Decoder.compile(base, { threads: 1, adapted: true, saved: adapter.saved, engine: rows });
    const cache = new KeyValueCache(base.config, rows && memoryOf(rows));
    for (const [position, wanted] of logits.entries()) {
      const found = await decoder.step(Int32Array.of(expected.ids[position]!), cache, feeds);
      worst = Math.max(worst, ...wanted.map((logit, id) => Math.abs(logit - found[id]!)));
    }
    await decoder.release();
  }
  await engine.release();
  await base.release();
  return worst / Math.max(...logits.flat().map(Math.abs));
}

test.each(Object.entries(expected.adapters))("logits under PEFT's adapter `%s` are PEFT's", async (name, peft) => {
  expect(await difference(folderOf(`adapters/${name}`), peft)).toBeLessThan(5e-6);
});

/** Adapters that we write, with random factors, so that nothing is hidden by a B of zero. */
const OURS: Record<string, LoraConfig> = {
  patterns: {
    base: 'tiny-llama',
    rank: 4,
    alpha: 8,
    dropout: 0,
    targets: 'all-linear',
    rank_pattern: { 'mlp.*': 2 },
    alpha_pattern: { q_proj: 3 },
  },
  layers: { base: 'tiny-llama', rank: 3, alpha: 8, dropout: 0.5, targets: 'all-linear', layers_to_transform: [1], use_rslora: true },
  saved: {
    base: 'tiny-tied',
    rank: 2,
    alpha: 2,
    dropout: 0,
    targets: ['q_proj', 'down_proj'],
    modules_to_save: ['lm_head', 'embed_tokens'],
  },
  expression: { base: 'tiny-tied', rank: 2, alpha: 4, dropout: 0, targets: '.*(q|up)_proj', exclude_modules: ['0.mlp.up_proj'] },
};

async function writeOurs(folder: string, config: LoraConfig): Promise<void> {
  const base = await openBaseWeights(folderOf(config.base!));
  await base.release();
  const matcher = loraMatcher(config);
  const random = randomStream(3, 'weightInit');
  const noise = (length: number): Float32Array => Float32Array.from({ length }, () => (random.uniform() - 0.5) / 2);
  const pairs = adaptedLinears(adaptableLanguageModel(base.config), config).map((module, site) => {
    const pair = initialLoraPair(module, matcher, 7, site);
    return [module.name, { ...pair, b: noise(pair.b.length) }] as const;
  });
  const saved = [...savedTensors(adaptableLanguageModel(base.config), config)].map(
    ([name, shape]) => [name, { shape, values: noise(shape.reduce((a, b) => a * b)) }] as const,
  );
  await writeLoraFolder(folder, { config, pairs: new Map(pairs), saved: new Map(saved) });
}

// WRITE_FIXTURES=1 writes them to fixtures/ours, for make_adapters.py to read.
test.each(Object.keys(OURS))('our adapter `%s` has the bytes that PEFT loaded, and the logits that it computed', async (name) => {
  const kept = folderOf(`ours/${name}`);
  const folder = join(await mkdtemp(join(tmpdir(), 'tunefleet-ours-')), name);
  await writeOurs(folder, OURS[name]!);
  if (process.env['WRITE_FIXTURES']) {
    await rm(kept, { recursive: true, force: true });
    await cp(folder, kept, { recursive: true });
  }
  for (const file of ['adapter_config.json', 'adapter_model.safetensors'])
    expect((await readFile(join(folder, file))).equals(await readFile(join(kept, file)))).toBe(true);
  expect(await difference(folder, expected.ours[name]!)).toBeLessThan(5e-6);
});

async function collected(blocks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const block of blocks) all.push(block.slice());
  return all;
}

/** The merged model's logits, as a share of the largest away from PEFT's of the adapter. */
async function mergedDifference(adapterFolder: string, { base: name, logits }: Case, into: string): Promise<number> {
  const { config, weights } = await openLlamaFolder(folderOf(name));
  const model = mergedModel(config, weights, await readLoraFolder(adapterFolder));
  const tensors = await Promise.all(
    model.tensors.map(async (tensor) => ({ ...tensor, data: Buffer.concat(await collected(tensor.blocks())) })),
  );
  await weights.close();
  await writeLlamaFolder(into, model.config, tensors);
  const base = await openBaseWeights(into);
  const decoder = await Decoder.compile(base, { threads: 1, adapted: false });
  const cache = new KeyValueCache(base.config);
  let worst = 0;
  for (const [position, wanted] of logits.entries()) {
    const found = await decoder.step(Int32Array.of(expected.ids[position]!), cache, null);
    worst = Math.max(worst, ...wanted.map((logit, id) => Math.abs(logit - found[id]!)));
  }
  await decoder.release();
  await base.release();
  return worst / Math.max(...logits.flat().map(Math.abs));
}

test.each(Object.entries(expected.adapters))("the base with PEFT's adapter `%s` merged has PEFT's logits", async (name, peft) => {
  const into = join(await mkdtemp(join(tmpdir(), 'tunefleet-merged-')), 'model');
  expect(await mergedDifference(folderOf(`adapters/${name}`), peft, into)).toBeLessThan(5e-6);
});

// The adapter `saved` unties embedding and head. transformers has loaded the folder that we write of it, and computed these logits.
test('a merged folder has the bytes that transformers loaded', async () => {
  const kept = folderOf('ours-merged');
  const into = join(await mkdtemp(join(tmpdir(), 'tunefleet-merged-')), 'model');
  expect(await mergedDifference(folderOf('ours/saved'), expected.merged, into)).toBeLessThan(5e-6);
  if (process.env['WRITE_FIXTURES']) await cp(into, kept, { recursive: true, force: true });
  for (const file of ['config.json', 'model.safetensors'])
    expect((await readFile(join(into, file))).equals(await readFile(join(kept, file)))).toBe(true);
});

test('one generator serves adapters with and without modules of their own', async () => {
  const generator = await openGenerator({ base: folderOf('tiny-tied') });
  const generate = async (adapter: string | null): Promise<number[]> => {
    const ids: number[] = [];
    const settings = { max_tokens: 8, temperature: 0, top_p: 1, seed: 0, stop_ids: [] };
    for await (const id of generator.generate({ ids: [1, 5], adapter, ...settings })) ids.push(id);
    return ids;
  };
  const names = readdirSync(folderOf('adapters')).filter((name) => expected.adapters[name]!.base === 'tiny-tied');
  const texts = await Promise.all([null, ...names.map((name) => folderOf(`adapters/${name}`))].map(generate));
  expect(names.length).toBeGreaterThan(2);
  expect(new Set(texts.map(String)).size).toBe(texts.length);
  expect(await generate(null)).toEqual(texts[0]);
  await generator.close();
});

test('settings that cannot be followed are named; an adapter of another base does not fit', async () => {
  const base = await openBaseWeights(folderOf('tiny-llama'));
  await base.release();
  const fault = (changes: Partial<LoraConfig>) =>
    loraFault(adaptableLanguageModel(base.config), { rank: 2, alpha: 2, dropout: 0, targets: 'all-linear', ...changes });
  expect(fault({})).toBeNull();
  expect(fault({ targets: ['q_proj', 'query'] })).toMatchObject({ setting: 'targets', message: expect.stringContaining('query') });
  expect(fault({ targets: '.*' })).toMatchObject({ setting: 'targets', message: expect.stringContaining('embed_tokens') });
  expect(fault({ targets: 'q_proj' })).toMatchObject({ setting: 'targets' });
  expect(fault({ layers_to_transform: [2] })).toMatchObject({ setting: 'layers_to_transform' });
  expect(fault({ modules_to_save: ['score'] })).toMatchObject({ setting: 'modules_to_save' });
  expect(fault({ modules_to_save: ['proj'] })).toMatchObject({
    setting: 'modules_to_save',
    message: expect.stringContaining('trained whole'),
  });
  expect(fault({ rank_pattern: { k_projs: 2 } })).toMatchObject({ setting: 'rank_pattern' });
  expect(fault({ exclude_modules: '.*' })).toMatchObject({ setting: 'targets' });
  expect(languageAdapterFault(base.config, await readLoraFolder(folderOf('adapters/saved')))).toBeNull();
  expect(languageAdapterFault(base.config, await readLoraFolder(folderOf('adapters/excluded')))).toContain('model.layers.0');
});

test('an adapter that is unloaded without having been used is given no graph', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'tunefleet-unloaded-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = scratch;
  try {
    const generator = await openGenerator({ base: folderOf('tiny-llama') });
    await generator.loadAdapter(folderOf('adapters/saved'));
    generator.unloadAdapter(folderOf('adapters/saved'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(readdirSync(scratch).filter((name) => name.startsWith('tunefleet-graph-'))).toEqual([]);
    await generator.close();
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    await rm(scratch, { recursive: true, force: true });
  }
});
