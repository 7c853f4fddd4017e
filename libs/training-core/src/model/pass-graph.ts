import type { NetworkParts } from '@tunefleet/models';
import { GraphBuilder, gradients, mul, type Value } from '@tunefleet/tensor';
import { crossEntropySums } from '../objectives/cross-entropy.js';
import type { ModelGraph } from './trainable.js';

export const gradientName = (index: number): string => `gradient.${index}`;

export interface PassGraph {
  /**
   * `loss` and `correct`, sums over trained-on tokens; of a training pass also `gradient.0`, ... of the loss in the order of the layout's
   * slots
   */
  outputs: Record<string, Value>;
  /** probabilities by the names of the masks' inputs, in the order in which the graph asks for them */
  dropout: ReadonlyMap<string, number>;
}

/** The part of the model that a value belongs to; whatever is around the layers is one part too. */
const layerOf = (scope: string): string => /^layers\.\d+/.exec(scope)?.[0] ?? '';

/** What of the forward pass is computed again in the backward pass instead of kept: nothing, attention's inner part, or whole layers. */
export type Recomputed = 'nothing' | 'attention' | 'layers';

const PARTS: Readonly<Record<Recomputed, RegExp | null>> = {
  nothing: null,
  attention: /^layers\.\d+\/attention\/core/,
  layers: /^layers\.\d+/,
};

/** Input of a training pass in float16: its gradients are those of the loss times this scalar. */
export const LOSS_SCALE = 'loss_scale';

/** The forward (`training`: and backward) pass of a model over one micro-batch. `scaled`: with gradients of the scaled loss. */
export function passGraph(model: ModelGraph, training: boolean, recomputed: Recomputed = 'nothing', scaled = false): PassGraph {
  const builder = new GraphBuilder();
  const sites = new Map<string, number>();
  const { parameters, ...parts } = model.build(builder, training);
  const dropout: NetworkParts['dropout'] = (site, probability, x) => {
    if (!training || probability === 0) return x;
    const name = `${site}.dropout`;
    sites.set(name, probability);
    return mul(x, builder.input(name, 'f32', x.shape));
  };
  const { logits, targets, weights } = model.network.build(builder, { ...parts, dropout });
  const { loss, correct } = crossEntropySums(logits, targets, weights);
  const target = scaled ? mul(loss, builder.input(LOSS_SCALE, 'f32', [])) : loss;
  const recompute = (scope: string): string[] => {
    const part = PARTS[recomputed]?.exec(scope);
    return part ? [part[0]] : [];
  };
  const backward = training ? gradients(target, parameters, { first: [loss, correct], part: layerOf, recompute }) : [];
  const named = Object.fromEntries(backward.map((value, index) => [gradientName(index), value]));
  return { outputs: { loss, correct, ...named }, dropout: new Map([...model.dropout, ...sites]) };
}
