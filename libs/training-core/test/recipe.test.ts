import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openLlamaFolder } from '@tunefleet/model-formats';
import { graphOf, lower, printGraph } from '@tunefleet/tensor';
import { train } from '../src/loop/train.js';
import { plannedFull } from '../src/model/full.js';
import { plannedLora } from '../src/model/lora.js';
import { openTrainable } from '../src/model/open-trainable.js';
import { passGraph } from '../src/model/pass-graph.js';
import type { LoraSpec, TrainingSpec } from '../src/spec.js';
import { expected, folderOf, recording, rowsOf, specOf, workFolder } from './fixture.js';

// A compiled graph is found again by its recipe. Whatever changes the graph must change the recipe, or another model would be trained.

const LORA: LoraSpec = { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' };

const loraSpec = async (adapter: Partial<LoraSpec> = {}, changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> => {
  const { continueFrom: _, ...spec } = await specOf('tiny-llama', 'lora');
  return { ...spec, adapter: { ...LORA, ...adapter }, ...changes };
};

const classifier = (labels: string[]): Partial<TrainingSpec> => ({
  base: folderOf('tiny-bert-classifier'),
  adapter: { type: 'full' },
  task: { type: 'classification', labels },
});

const SPECS: Record<string, () => Promise<TrainingSpec>> = {
  plain: () => loraSpec(),
  rank: () => loraSpec({ rank: 3 }),
  alpha: () => loraSpec({ alpha: 9 }),
  dropout: () => loraSpec({ dropout: 0.1 }),
  targets: () => loraSpec({ targets: ['q_proj', 'v_proj'] }),
  use_rslora: () => loraSpec({ use_rslora: true }),
  rank_pattern: () => loraSpec({ rank_pattern: { q_proj: 2 } }),
  alpha_pattern: () => loraSpec({ alpha_pattern: { q_proj: 3 } }),
  layers_to_transform: () => loraSpec({ layers_to_transform: [0] }),
  modules_to_save: () => loraSpec({ modules_to_save: ['lm_head'] }),
  base_precision: () => loraSpec({}, { base_precision: 'int4' }),
  base: () => loraSpec({}, { base: folderOf('tiny-tied') }),
  adapter: () => loraSpec({}, { adapter: { type: 'full' } }),
  task: () => loraSpec({}, classifier(['low', 'middle', 'high'])),
  labels: () => loraSpec({}, classifier(['low', 'high'])),
};

/** The recipe of a spec's model, and its training graph in canonical text. */
async function opened(spec: TrainingSpec): Promise<{ recipe: string | null; graph: string }> {
  const scratch = join(spec.folder, 'scratch');
  await mkdir(scratch, { recursive: true });
  const model = await openTrainable(spec, scratch);
  try {
    return { recipe: model.recipe, graph: printGraph(lower(graphOf(passGraph(model, true).outputs), 'cpu')) };
  } finally {
    await model.close();
  }
}

test('each setting that the graph depends on is part of the recipe, and the same recipe makes the same graph', async () => {
  const all = await Promise.all(Object.entries(SPECS).map(async ([name, spec]) => ({ name, ...(await opened(await spec())) })));
  const [plain, ...others] = all;
  expect(await opened(await SPECS['plain']!())).toEqual({ recipe: plain!.recipe, graph: plain!.graph });
  for (const { name, recipe, graph } of others)
    expect({ name, differs: graph !== plain!.graph, told: recipe !== plain!.recipe }).toEqual({ name, differs: true, told: true });
  expect(new Set(all.map(({ recipe }) => recipe)).size).toBe(all.length);
});

test('every field of a configuration is part of the recipe', async () => {
  const { config, weights } = await openLlamaFolder(folderOf('tiny-llama'));
  await weights.close();
  const recipes = (one: typeof config) => [plannedFull(one).recipe, plannedLora(one, 'float32', LORA).recipe];
  const plain = recipes(config);
  for (const [field, value] of Object.entries(config)) {
    const other = { ...config, [field]: typeof value === 'number' ? 2 * value : typeof value === 'boolean' ? !value : `${value}` };
    if (other[field as keyof typeof config] === value) continue;
    for (const [place, recipe] of recipes(other).entries())
      expect({ field, same: recipe === plain[place] }).toEqual({ field, same: false });
  }
});

const bytesOf = async (folder: string): Promise<string> =>
  (await readFile(join(folder, 'result', 'adapter_model.safetensors'))).toString('base64');

test('a run from kept graphs leaves the bytes of one that compiled them; memory and precision are other graphs, and room is asked for each time', async () => {
  const rows = rowsOf(expected.rows);
  const cache = { folder: join(await workFolder(), 'graphs'), weights: 'tiny-llama', bytes: 1e9 };
  const run = async (changes: Partial<TrainingSpec> = {}): Promise<string> => {
    const spec = await loraSpec({ dropout: 0.1 }, { max_steps: 3, cache, memory_limit: 8e9, ...changes });
    await train(spec, rows, null, null, recording());
    return bytesOf(spec.folder);
  };
  const spec = await loraSpec({ dropout: 0.1 }, { max_steps: 3 });
  await train(spec, rows, null, null, recording());
  const plain = await bytesOf(spec.folder);
  expect(await run()).toBe(plain);
  const kept = await readdir(cache.folder);
  expect(kept).toHaveLength(1);
  expect(await run()).toBe(plain);
  expect(await readdir(cache.folder)).toEqual(kept);
  await run({ memory: 'lean' });
  await run({ precision: 'float16' });
  expect(await readdir(cache.folder)).toHaveLength(3);
  await expect(run({ memory_limit: 1e6 })).rejects.toMatchObject({ code: 'insufficient_memory' });
});
