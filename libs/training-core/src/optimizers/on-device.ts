import { add, div, GraphBuilder, mul, reduceSum, sqrt, square, sub, type Value } from '@tunefleet/tensor';
import type { FlatLayout } from '../parameters.js';
import type { AdamWSpec } from './adamw.js';

// What is done to state that lies in tensors of a provider, as graphs over them: an input a tensor, named by its kind and its slot's place in the layout.

export type StateKind = 'parameter' | 'gradient' | 'addend' | 'first' | 'second';

export const stateInput = (kind: StateKind, index: number): string => `${kind}.${index}`;

/** Name of the output that takes an input's place. */
export const nextOf = (input: string): string => `${input}.next`;

export interface StateGraph {
  outputs: Record<string, Value>;
  /** which output is written over which input */
  inPlace: Record<string, string>;
}

/**
 * AdamW as in `adamw.ts`: the same operations in the same order, + - x / and square root alone, so that a provider that follows IEEE 754 gives the same bits.
 * Scalars are inputs: `factor` (on every gradient), `keep` (1 - rate x decay), `whole` (1: what is not decayed), `step_size`, `inverse_root`.
 */
export function updateGraph({ slots }: FlatLayout, { betas: [beta1, beta2], eps }: AdamWSpec): StateGraph {
  const g = new GraphBuilder();
  const [factor, keep, whole, stepSize, inverseRoot] = ['factor', 'keep', 'whole', 'step_size', 'inverse_root'].map((name) =>
    g.input(name, 'f32', []),
  ) as [Value, Value, Value, Value, Value];
  const update: StateGraph = { outputs: {}, inPlace: {} };
  const give = (input: string, value: Value): void => {
    update.outputs[nextOf(input)] = value;
    update.inPlace[nextOf(input)] = input;
  };
  for (const [index, { shape, decayed }] of slots.entries()) {
    const names = (['parameter', 'gradient', 'first', 'second'] as const).map((kind) => stateInput(kind, index));
    const [p, sum, m, v] = names.map((name) => g.input(name, 'f32', shape)) as [Value, Value, Value, Value];
    const gradient = mul(sum, factor);
    const first = add(mul(m, beta1), mul(gradient, 1 - beta1));
    const second = add(mul(v, beta2), mul(mul(gradient, gradient), 1 - beta2));
    const change = div(mul(first, stepSize), add(mul(sqrt(second), inverseRoot), eps));
    give(names[0]!, sub(mul(p, decayed ? keep : whole), change));
    give(names[2]!, first);
    give(names[3]!, second);
  }
  return update;
}

/** What {@link updateGraph} is fed besides state, for the `step`-th update (from 1). */
export function updateScalars({ betas: [beta1, beta2], weight_decay }: AdamWSpec, step: number, factor: number, rate: number) {
  return {
    factor: Float32Array.of(factor),
    keep: Float32Array.of(1 - rate * weight_decay),
    whole: Float32Array.of(1),
    step_size: Float32Array.of(rate / (1 - beta1 ** step)),
    inverse_root: Float32Array.of(1 / Math.sqrt(1 - beta2 ** step)),
  };
}

/** `squares`: the sum of squares of all gradients times the scalar `factor`. Rows first, so that a GPU has many sums to do at once. */
export function normGraph({ slots }: FlatLayout): StateGraph {
  const g = new GraphBuilder();
  const factor = g.input('factor', 'f32', []);
  const sums = slots.map(({ shape }, index) => {
    const squares = square(mul(g.input(stateInput('gradient', index), 'f32', shape), factor));
    return reduceSum(shape.length > 1 ? reduceSum(squares, [-1]) : squares);
  });
  return { outputs: { squares: sums.reduce((a, b) => add(a, b)) }, inPlace: {} };
}

/** gradient += addend, each in place. The gradient times `whole` (1), since WebGPU has no operator that writes over what it reads. */
export function sumGraph({ slots }: FlatLayout): StateGraph {
  const g = new GraphBuilder();
  const whole = g.input('whole', 'f32', []);
  const sum: StateGraph = { outputs: {}, inPlace: {} };
  for (const [index, { shape }] of slots.entries()) {
    const input = stateInput('gradient', index);
    sum.outputs[nextOf(input)] = add(mul(g.input(input, 'f32', shape), whole), g.input(stateInput('addend', index), 'f32', shape));
    sum.inPlace[nextOf(input)] = input;
  }
  return sum;
}
