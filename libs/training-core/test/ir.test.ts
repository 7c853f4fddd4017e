import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { graphOf, lower, type Provider, printGraph } from '@tunefleet/tensor';
import { expectGolden } from '../../../tools/jest/golden.js';
import { oneLayerLlama } from '../../models/test/one-layer.js';
import { openTrainable } from '../src/model/open-trainable.js';
import { passGraph, type Recomputed } from '../src/model/pass-graph.js';
import type { TrainingSpec } from '../src/spec.js';
import { folderOf, specOf } from './fixture.js';

// The text of what a pass makes of one tiny model a family and task: a change of a pass is a difference to review here. UPDATE_IR=1 writes it.
const FOLDER = join(import.meta.dirname, 'ir');

const llama = async (adapter: TrainingSpec['adapter']): Promise<TrainingSpec> => {
  const { continueFrom: _, ...spec } = await specOf('tiny-llama', 'lora');
  return { ...spec, base: await oneLayerLlama(), adapter };
};

const LORA = { type: 'lora', rank: 3, alpha: 6, dropout: 0.1, targets: ['q_proj', 'down_proj'] } as const;
const labels = ['low', 'middle', 'high'];
const classifying = async (changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> => {
  const spec = await llama({ type: 'full' });
  return { ...spec, task: { type: 'classification', labels }, ...changes };
};

interface Case {
  name: string;
  spec: () => Promise<TrainingSpec>;
  providers?: Provider[];
  /** what is told of the graph as it was built, where that says more than the one after the passes */
  building?: boolean;
  recomputed?: Recomputed;
}

const CASES: Case[] = [
  { name: 'llama-full', spec: () => llama({ type: 'full' }), building: true },
  { name: 'llama-full-lean', spec: () => llama({ type: 'full' }), recomputed: 'layers' },
  { name: 'llama-lora', spec: () => llama(LORA), providers: ['cpu', 'webgpu'], building: true },
  { name: 'llama-lora-int4', spec: async () => ({ ...(await llama({ ...LORA, dropout: 0 })), base_precision: 'int4' }) },
  { name: 'llama-classification', spec: () => classifying() },
  { name: 'llama-frozen-backbone', spec: () => classifying({ freeze: { backbone: true } }), building: true },
  { name: 'bert-classification', spec: () => classifying({ base: folderOf('tiny-bert-classifier') }), building: true },
  {
    name: 'bert-lora',
    spec: () => classifying({ base: folderOf('tiny-bert-classifier'), adapter: { ...LORA, dropout: 0, targets: ['query', 'value'] } }),
  },
];

test.each(CASES)('$name is printed as committed', async ({ name, spec: specFor, providers = ['cpu'], building = false, recomputed }) => {
  const spec = await specFor();
  await mkdir(join(spec.folder, 'scratch'), { recursive: true });
  const model = await openTrainable(spec, join(spec.folder, 'scratch'));
  const graph = graphOf(passGraph(model, true, recomputed).outputs);
  for (const provider of providers) {
    const stages = new Map<string, string>();
    lower(graph, provider, (pass, after) => stages.set(pass, printGraph(after)));
    const [built, ...passes] = [...stages];
    expect(built![0]).toBe('building');
    if (building) expectGolden(join(FOLDER, `${name}.building.txt`), built![1]);
    expectGolden(join(FOLDER, `${name}.${provider}.txt`), passes.at(-1)![1]);
  }
  await model.close();
});
