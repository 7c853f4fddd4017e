import { type Backbone, float32Tensor, type Tensor, writeClassifierFolder } from '@tunefleet/model-formats';
import { classifierOf, headNetwork, mapWeights, type Network, weightParts } from '@tunefleet/models';
import { type GraphBuilder, releaseAll, type Value } from '@tunefleet/tensor';
import { openWhole } from '../open-whole.js';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { type ClassifierBase, openClassifierBase } from './classifier-base.js';
import { frozenFeatures } from './frozen-features.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { ModelGraph, Trainable } from './trainable.js';

export interface HeadOptions {
  base: string;
  labels: readonly string[];
  seed: number;
  threads: number;
  /** an existing folder for files that may go when the run ends */
  scratch: string;
}

/** A head on a frozen backbone: the backbone runs once over each row, in evaluation mode, and never again. */
export function headTuning({ base, labels, seed, threads, scratch }: HeadOptions): Promise<Trainable> {
  return openWhole(async (held) => {
    const opened = await openClassifierBase(base, labels, seed);
    const { backbone, body, head, weights } = opened;
    held(() => weights.close());
    const frozen = await mapWeights(weights, body, scratch);
    held(() => frozen.release());
    const still: FrozenBody = (builder) => {
      const of = frozen.in(builder);
      return (name) => (body.has(name) ? of(name) : undefined);
    };
    const graph = plannedHead(backbone, head, still);
    const { layout } = graph;
    const { hiddenSize: width } = backbone.config;
    return {
      ...graph,
      prepare: (source, stopped) =>
        frozenFeatures({
          ...{ source, stopped, width, threads, scratch },
          classifier: classifierOf(backbone),
          parts: (builder) => weightParts(still(builder)),
        }),
      async initialize(parameters) {
        for (const slot of layout.slots) viewOf(parameters, slot).set(await opened.initial(slot.name));
      },
      async write(folder, parameters) {
        const tensors = [...(await bodyTensors(opened)), ...tensorsOf(layout, parameters)];
        await writeClassifierFolder(folder, backbone, labels, tensors);
        await copyTokenizerFiles(base, folder);
      },
      close: () => releaseAll([() => weights.close(), () => frozen.release()]),
    };
  });
}

/** Weights of a frozen backbone in a graph: undefined for names that it has not. */
export type FrozenBody = (builder: GraphBuilder) => (name: string) => Value | undefined;

/** A head of these tensors over what a frozen backbone says of each row. */
export function plannedHead(backbone: Backbone, head: ReadonlyMap<string, readonly number[]>, body: FrozenBody): ModelGraph {
  const layout = flatLayout(head);
  return {
    // One product: compiled sooner than found.
    recipe: null,
    // Rows come with features (`Trainable.prepare`).
    network: headNetwork(classifierOf(backbone), backbone.config.hiddenSize) as Network,
    layout,
    dropout: new Map(),
    build(builder) {
      const learning = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      const still = body(builder);
      return { parameters: [...learning.values()], ...weightParts((name) => learning.get(name) ?? still(name)) };
    },
  };
}

const bodyTensors = ({ body, weights }: ClassifierBase): Promise<Tensor[]> =>
  Promise.all([...body].map(async ([name, shape]) => float32Tensor(name, shape, await weights.float32(name))));
