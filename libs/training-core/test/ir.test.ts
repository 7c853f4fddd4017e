import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { graphOf, lower, type Provider, printGraph } from '@tunefleet/tensor';
import { expectGolden } from '../../../tools/jest/golden.js';
import { oneLayerLlama } from '../../models/test/one-layer.js';
import { openTrainable } from '../src/model/open-trainable.js';
import { passGraph } from '../src/model/pass-graph.js';
import type { TrainingSpec } from '../src/spec.js';
import { folderOf, specOf } from './fixture.js';

// The text of what a pass makes of one tiny model a family and task: a change of a pass is a difference to review here. UPDATE_IR=1 writes it.
const FOLDER = join(import.meta.dirname, 'ir');

const llama = async (adapter: TrainingSpec['adapter']): Promise<TrainingSpec> => {
  const { continueFrom: _, ...spec } = await specOf('tiny-llama', 'lora');
  return { ...spec, base: await oneLayerLlama(), adapter };
};

const CASES: [name: string, spec: () => Promise<TrainingSpec>, providers: Provider[]][] = [
  ['llama-full', () => llama({ type: 'full' }), ['cpu']],
  ['llama-lora', () => llama({ type: 'lora', rank: 3, alpha: 6, dropout: 0.1, targets: ['q_proj', 'down_proj'] }), ['cpu', 'webgpu']],
  [
    'bert-classification',
    async () => {
      const spec = await specOf('tiny-llama', 'full');
      return { ...spec, base: folderOf('tiny-bert-classifier'), task: { type: 'classification', labels: ['low', 'middle', 'high'] } };
    },
    ['cpu'],
  ],
];

test.each(CASES)('%s is printed as committed, before and after the passes', async (name, specFor, providers) => {
  const spec = await specFor();
  await mkdir(join(spec.folder, 'scratch'), { recursive: true });
  const model = await openTrainable(spec, join(spec.folder, 'scratch'));
  const graph = graphOf(passGraph(model, true).outputs);
  for (const provider of providers) {
    const stages = new Map<string, string>();
    lower(graph, provider, (pass, after) => stages.set(pass, printGraph(after)));
    const [built, ...passes] = [...stages];
    expect(built![0]).toBe('building');
    expectGolden(join(FOLDER, `${name}.building.txt`), built![1]);
    expectGolden(join(FOLDER, `${name}.${provider}.txt`), passes.at(-1)![1]);
  }
  await model.close();
});
