import { llamaTensorShapes, openLlamaFolder, writeLlamaFolder } from '@tunefleet/model-formats';
import { causalLlama, weightParts } from '@tunefleet/models';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { Trainable } from './trainable.js';

/** Full tuning: every tensor of the base is a parameter. */
export async function fullTuning(base: string): Promise<Trainable> {
  const { config, weights } = await openLlamaFolder(base);
  const layout = flatLayout(llamaTensorShapes(config));
  return {
    network: causalLlama(config),
    layout,
    dropout: new Map(),
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(await weights.float32(slot.name));
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
