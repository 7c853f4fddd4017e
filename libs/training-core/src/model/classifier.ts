import { writeClassifierFolder } from '@tunefleet/model-formats';
import { classifierOf, weightParts, wholeNetwork } from '@tunefleet/models';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { openClassifierBase } from './classifier-base.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { Trainable } from './trainable.js';

/** Full tuning of a classifier: every tensor of the base and of the head is a parameter. */
export async function classifierTuning(base: string, labels: readonly string[], seed: number): Promise<Trainable> {
  const opened = await openClassifierBase(base, labels, seed);
  const layout = flatLayout([...opened.body, ...opened.head]);
  return {
    network: wholeNetwork(classifierOf(opened.backbone)),
    layout,
    dropout: new Map(),
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(await opened.initial(slot.name));
    },
    build(builder) {
      const byName = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      return { parameters: [...byName.values()], ...weightParts((name) => byName.get(name)) };
    },
    async write(folder, parameters) {
      await writeClassifierFolder(folder, opened.backbone, labels, tensorsOf(layout, parameters));
      await copyTokenizerFiles(base, folder);
    },
    close: () => opened.weights.close(),
  };
}
