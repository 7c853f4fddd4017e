import { writeClassifierFolder } from '@tunefleet/model-formats';
import { tensorsOf, viewOf } from '../parameters.js';
import { openClassifierBase } from './classifier-base.js';
import { plannedClassifier } from './planned-classifier.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { Trainable } from './trainable.js';

/** Full tuning of a classifier: every tensor of the base and of the head is a parameter. */
export async function classifierTuning(base: string, labels: readonly string[], seed: number): Promise<Trainable> {
  const opened = await openClassifierBase(base, labels, seed);
  const graph = plannedClassifier(opened.backbone, new Map([...opened.body, ...opened.head]));
  const { layout } = graph;
  return {
    ...graph,
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(await opened.initial(slot.name));
    },
    async write(folder, parameters) {
      await writeClassifierFolder(folder, opened.backbone, labels, tensorsOf(layout, parameters));
      await copyTokenizerFiles(base, folder);
    },
    close: () => opened.weights.close(),
  };
}
