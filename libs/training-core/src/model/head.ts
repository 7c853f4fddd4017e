import { float32Tensor, type Tensor, writeClassifierFolder } from '@tunefleet/model-formats';
import { classifierOf, mapWeights, weightParts } from '@tunefleet/models';
import { tensorsOf, viewOf } from '../parameters.js';
import { type ClassifierBase, openClassifierBase } from './classifier-base.js';
import { frozenFeatures } from './frozen-features.js';
import { frozenBody, plannedHead } from './planned-classifier.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { Trainable } from './trainable.js';

export interface HeadOptions {
  base: string;
  labels: readonly string[];
  seed: number;
  threads: number;
  /** an existing folder for files that may go when the run ends */
  scratch: string;
}

/** A head on a frozen backbone: the backbone runs once over each row, in evaluation mode, and never again. */
export async function headTuning({ base, labels, seed, threads, scratch }: HeadOptions): Promise<Trainable> {
  const opened = await openClassifierBase(base, labels, seed);
  const { backbone, head } = opened;
  const frozen = await mapWeights(opened.weights, opened.body, scratch);
  const classifier = classifierOf(backbone);
  const { hiddenSize } = backbone.config;
  const body = frozenBody(opened.body, (builder) => frozen.in(builder));
  const graph = plannedHead(backbone, head, body);
  const { layout } = graph;
  return {
    ...graph,
    prepare: (source, stopped) =>
      frozenFeatures({ source, stopped, classifier, width: hiddenSize, parts: (builder) => weightParts(body(builder)), threads, scratch }),
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(await opened.initial(slot.name));
    },
    async write(folder, parameters) {
      const tensors = [...(await bodyTensors(opened)), ...tensorsOf(layout, parameters)];
      await writeClassifierFolder(folder, backbone, labels, tensors);
      await copyTokenizerFiles(base, folder);
    },
    async close() {
      await opened.weights.close();
      await frozen.release();
    },
  };
}

const bodyTensors = ({ body, weights }: ClassifierBase): Promise<Tensor[]> =>
  Promise.all([...body].map(async ([name, shape]) => float32Tensor(name, shape, await weights.float32(name))));
