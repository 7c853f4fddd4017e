import type { NetworkParts } from '@tunefleet/models';
import { GraphBuilder, gradients, mul, type Value } from '@tunefleet/tensor';
import { crossEntropySums } from '../objectives/cross-entropy.js';
import type { Trainable } from './trainable.js';

export const gradientName = (index: number): string => `gradient.${index}`;

export interface PassGraph {
  /** `loss` and `correct`, sums over trained-on tokens; of a training pass also `gradient.0`, ... of the loss in the order of the layout's slots */
  outputs: Record<string, Value>;
  /** probabilities by the names of the masks' inputs, in the order in which the graph asks for them */
  dropout: ReadonlyMap<string, number>;
}

/** The forward (`training`: and backward) pass of a model over one micro-batch. */
export function passGraph(model: Trainable, training: boolean): PassGraph {
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
  const backward = training ? gradients(loss, parameters).map((value, index) => [gradientName(index), value] as const) : [];
  return { outputs: { loss, correct, ...Object.fromEntries(backward) }, dropout: new Map([...model.dropout, ...sites]) };
}
