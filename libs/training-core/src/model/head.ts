import { float32Tensor, type Tensor, writeClassifierFolder } from '@tunefleet/model-formats';
import { type Classifier, classifierOf, headNetwork, mapWeights, type Network, weightParts } from '@tunefleet/models';
import type { GraphBuilder } from '@tunefleet/tensor';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { type ClassifierBase, openClassifierBase } from './classifier-base.js';
import { frozenFeatures } from './frozen-features.js';
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
  const { backbone, body, head } = opened;
  const frozen = await mapWeights(opened.weights, body, scratch);
  const layout = flatLayout(head);
  const classifier: Classifier = classifierOf(backbone);
  const { hiddenSize } = backbone.config;
  /** Frozen weights, and of the head what `learning` gives. */
  const parts = (builder: GraphBuilder, learning: ReadonlyMap<string, ReturnType<GraphBuilder['parameter']>>) => {
    const still = frozen.in(builder);
    return weightParts((name) => learning.get(name) ?? (body.has(name) ? still(name) : undefined));
  };
  return {
    // One product: compiled sooner than found.
    recipe: null,
    // `prepare` makes every row one with features.
    network: headNetwork(classifier, hiddenSize) as Network,
    layout,
    dropout: new Map(),
    prepare: (source, stopped) =>
      frozenFeatures({ source, stopped, classifier, width: hiddenSize, parts: (builder) => parts(builder, new Map()), threads, scratch }),
    async initialize(parameters) {
      for (const slot of layout.slots) viewOf(parameters, slot).set(await opened.initial(slot.name));
    },
    build(builder) {
      const learning = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      return { parameters: [...learning.values()], ...parts(builder, learning) };
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
