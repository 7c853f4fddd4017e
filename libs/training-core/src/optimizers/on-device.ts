import { add, concat, div, GraphBuilder, mul, reduceSum, reshape, slice, sqrt, square, sub, type Value } from '@tunefleet/tensor';
import type { FlatLayout } from '../parameters.js';
import type { AdamWSpec } from './adamw.js';
import { type StateGroup, stateGroups } from './state-groups.js';

// What is done to state that lies in tensors of a provider, as graphs over them. Parameters and gradients are inputs by their slot's place
// in the layout, moments by their group's place among the groups.

export type StateKind = 'parameter' | 'gradient' | 'addend' | 'first' | 'second';

export const stateInput = (kind: StateKind, place: number): string => `${kind}.${place}`;

/** Name of the output that takes an input's place. */
export const nextOf = (input: string): string => `${input}.next`;

export interface StateGraph {
  outputs: Record<string, Value>;
  /** which output is written over which input */
  inPlace: Record<string, string>;
}

/** One tensor of a group's: the parts end to end, or the only one as it is. */
const joined = ({ slots }: StateGroup, parts: readonly Value[]): Value =>
  parts.length === 1 ? parts[0]! : concat(slots.map(({ length }, at) => reshape(parts[at]!, [length])) as [Value, ...Value[]], 0);

/** The parts again. */
function parted({ slots }: StateGroup, whole: Value): Value[] {
  if (slots.length === 1) return [whole];
  let at = 0;
  return slots.map(({ shape, length }) => {
    at += length;
    return reshape(slice(whole, 0, at - length, at), shape);
  });
}

/**
 * AdamW as in `adamw.ts`: the same operations in the same order, + - x / and square root alone, so that a provider that follows IEEE 754
 * gives the same bits. Scalars are inputs: `factor` (on every gradient), `keep` (1 - rate x decay), `whole` (1: what is not decayed),
 * `step_size`, `inverse_root`.
 */
export function updateGraph(layout: FlatLayout, { betas: [beta1, beta2], eps }: AdamWSpec): StateGraph {
  const g = new GraphBuilder();
  const [factor, keep, whole, stepSize, inverseRoot] = ['factor', 'keep', 'whole', 'step_size', 'inverse_root'].map((name) =>
    g.input(name, 'f32', []),
  ) as [Value, Value, Value, Value, Value];
  const update: StateGraph = { outputs: {}, inPlace: {} };
  const give = (input: string, value: Value): void => {
    update.outputs[nextOf(input)] = value;
    update.inPlace[nextOf(input)] = input;
  };
  for (const [place, group] of stateGroups(layout).entries()) {
    const own = (kind: 'parameter' | 'gradient'): Value =>
      joined(
        group,
        group.slots.map(({ shape }, at) => g.input(stateInput(kind, group.places[at]!), 'f32', shape)),
      );
    const [m, v] = (['first', 'second'] as const).map((kind) => g.input(stateInput(kind, place), 'f32', group.shape)) as [Value, Value];
    const gradient = mul(own('gradient'), factor);
    const first = add(mul(m, beta1), mul(gradient, 1 - beta1));
    const second = add(mul(v, beta2), mul(mul(gradient, gradient), 1 - beta2));
    const change = div(mul(first, stepSize), add(mul(sqrt(second), inverseRoot), eps));
    const next = parted(group, sub(mul(own('parameter'), group.decayed ? keep : whole), change));
    for (const [at, value] of next.entries()) give(stateInput('parameter', group.places[at]!), value);
    give(stateInput('first', place), first);
    give(stateInput('second', place), second);
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

/**
 * `squares`: the sum of squares of all gradients, in float32: beyond a norm of 1.8e19 it is infinite, which counts as not finite. Rows
 * first, so that a GPU has many sums to do at once.
 */
export function normGraph(layout: FlatLayout): StateGraph {
  const g = new GraphBuilder();
  const sums = stateGroups(layout).map((group) => {
    const parts = group.slots.map(({ shape }, at) => g.input(stateInput('gradient', group.places[at]!), 'f32', shape));
    const squares = square(joined(group, parts));
    return reduceSum(squares.shape.length > 1 ? reduceSum(squares, [-1]) : squares);
  });
  return { outputs: { squares: sums.reduce((a, b) => add(a, b)) }, inPlace: {} };
}

/** gradient += addend, each in place. The gradient times `whole` (1), since WebGPU has no operator that writes over what it reads. */
export function sumGraph({ slots }: FlatLayout): StateGraph {
  const g = new GraphBuilder();
  const whole = g.input('whole', 'f32', []);
  const sum: StateGraph = { outputs: {}, inPlace: {} };
  for (const [place, { shape }] of slots.entries()) {
    const input = stateInput('gradient', place);
    sum.outputs[nextOf(input)] = add(mul(g.input(input, 'f32', shape), whole), g.input(stateInput('addend', place), 'f32', shape));
    sum.inPlace[nextOf(input)] = input;
  }
  return sum;
}
