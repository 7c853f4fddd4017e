import { type LlamaConfig, llamaTensorShapes, openLlamaFolder, writeLlamaFolder } from '@tunefleet/model-formats';
import { causalLlama, weightParts } from '@tunefleet/models';
import { openWhole } from '../open-whole.js';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { grownConfig, grownRows } from './grow-vocabulary.js';
import { fromRecipe } from './recipe.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { ModelGraph, Trainable } from './trainable.js';

/** Full tuning: every tensor of the base is a parameter. `vocabulary`: rows that embedding and head are to have at least. */
export function fullTuning(base: string, vocabulary?: number): Promise<Trainable> {
  return openWhole(async (held) => {
    const { config: known, weights } = await openLlamaFolder(base);
    held(() => weights.close());
    const config = grownConfig(known, vocabulary);
    const graph = plannedFull(config);
    const { layout } = graph;
    return {
      ...graph,
      async initialize(parameters) {
        for (const slot of layout.slots) viewOf(parameters, slot).set(grownRows(await weights.float32(slot.name), slot.shape));
      },
      async write(folder, parameters) {
        await writeLlamaFolder(folder, config, tensorsOf(layout, parameters));
        await copyTokenizerFiles(base, folder);
      },
      close: () => weights.close(),
    };
  });
}

/** Full tuning of a model of which only the configuration need be known. */
export function plannedFull(config: LlamaConfig): ModelGraph {
  return fromRecipe('full', config, (config) => {
    const layout = flatLayout(llamaTensorShapes(config));
    return {
      network: causalLlama(config),
      layout,
      dropout: new Map(),
      build(builder) {
        const byName = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
        return { parameters: [...byName.values()], ...weightParts((name) => byName.get(name)) };
      },
    };
  });
}
