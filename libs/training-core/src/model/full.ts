import { llamaTensorShapes, openLlamaFolder, writeLlamaFolder } from '@tunefleet/model-formats';
import { causalLlama, weightParts } from '@tunefleet/models';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { grownConfig, grownRows } from './grow-vocabulary.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { Trainable } from './trainable.js';

/** Full tuning: every tensor of the base is a parameter. `vocabulary`: rows that embedding and head are to have at least. */
export async function fullTuning(base: string, vocabulary?: number): Promise<Trainable> {
  const { config: known, weights } = await openLlamaFolder(base);
  const config = grownConfig(known, vocabulary);
  const layout = flatLayout(llamaTensorShapes(config));
  return {
    network: causalLlama(config),
    layout,
    dropout: new Map(),
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(grownRows(await weights.float32(slot.name), slot.shape));
    },
    build(builder) {
      const byName = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      return { parameters: [...byName.values()], ...weightParts((name) => byName.get(name)) };
    },
    async write(folder, parameters) {
      await writeLlamaFolder(folder, config, tensorsOf(layout, parameters));
      await copyTokenizerFiles(base, folder);
    },
    close: () => weights.close(),
  };
}
