import { llamaTensorShapes, openLlamaFolder, writeLlamaFolder } from '@tunefleet/model-formats';
import { matmul, type Value } from '@tunefleet/tensor';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { Trainable } from './trainable.js';

/** Full tuning: every tensor of the base is a parameter. */
export async function fullTuning(base: string): Promise<Trainable> {
  const { config, weights } = await openLlamaFolder(base);
  const layout = flatLayout(llamaTensorShapes(config));
  return {
    config,
    layout,
    dropout: { probability: 0, sites: [] },
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(await weights.float32(slot.name));
    },
    build(builder) {
      const byName = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      const weight = (name: string): Value => byName.get(name)!;
      return {
        parameters: [...byName.values()],
        weight,
        linear: (module, x) => matmul(x, weight(`${module}.weight`), { transB: true }),
      };
    },
    async write(folder, parameters) {
      await writeLlamaFolder(folder, config, tensorsOf(layout, parameters));
      await copyTokenizerFiles(base, folder);
    },
    close: () => weights.close(),
  };
}
