import { graphOf, type Value } from '../graph/value.js';
import { after } from '../ops/after.js';
import { add } from '../ops/arithmetic.js';
import { reshape } from '../ops/movement.js';
import { Recomputation, type RecomputedParts } from './recompute.js';

/** When a backward pass computes what: the results are the same, the memory is not. */
export interface BackwardOptions {
  /**
   * Computed before the backward pass begins, so that what they read is not kept through it: the loss, say, and other outputs of the
   * forward pass.
   */
  readonly first?: readonly Value[];
  /**
   * The part of the model that a scope lies in. All gradients of one part are there before the next is begun: else ONNX Runtime may leave
   * those of weights to the end.
   */
  readonly part?: (scope: string) => string;
  /** The parts whose values are computed again instead of kept. */
  readonly recompute?: RecomputedParts;
}

/** Values on a path from a target to the loss: the only ones that get a gradient. */
const pathTo = (loss: Value, targets: ReadonlySet<Value>): { order: Value[]; onPath: ReadonlySet<Value> } => {
  const onPath = new Set<Value>();
  const order = graphOf({ loss }).values.filter((value) => {
    const depends = targets.has(value) || (value.op.gradient !== 'none' && value.inputs.some((input) => onPath.has(input)));
    if (depends) onPath.add(value);
    return depends;
  });
  return { order, onPath };
};

/**
 * Reverse mode: gradients of a float32 scalar `loss` with respect to each of `targets`, of the targets' shapes, as values of the same
 * graph.
 * Throws where an operator on the way has no gradient rule, and where a target has no effect on the loss.
 */
export const gradients = <const Targets extends readonly Value[]>(
  loss: Value,
  targets: Targets,
  { first = [], part: partOf = () => '', recompute = () => [] }: BackwardOptions = {},
): { -readonly [Place in keyof Targets]: Value } => {
  if (loss.dtype !== 'f32' || loss.shape.length !== 0) throw new Error('gradients: the loss must be an f32 scalar (shape [])');
  const { builder } = loss;
  const wantedOnes = new Set<Value>(targets);
  const { order, onPath } = pathTo(loss, wantedOnes);
  const recomputation = new Recomputation(recompute);
  const seed = builder.scope('backward', () => after(builder.scalar(1, 'f32'), first));
  const sums = new Map<Value, Value>([[loss, seed]]);
  let current = partOf(loss.scope);
  /** what the current part has a gradient for beyond itself */
  let reached = new Set<Value>();
  for (const value of order.reverse()) {
    const reaching = sums.get(value);
    if (!reaching || !value.inputs.some((input) => onPath.has(input))) continue;
    const rule = value.op.gradient;
    if (rule === 'none') continue;
    if (!rule)
      throw new Error(`gradients: operator "${value.op.name}" has no gradient rule${value.scope === '' ? '' : ` (in ${value.scope})`}`);
    const part = partOf(value.scope);
    const scope = value.scope === '' ? 'backward' : `backward/${value.scope}`;
    let gradient = reaching;
    if (part !== current) {
      const finished = [...reached].map((input) => sums.get(input)!).filter((sum) => sum !== reaching);
      gradient = builder.scope(scope, () => after(reaching, finished));
      [current, reached] = [part, new Set()];
    }
    recomputation.reach(value, gradient);
    const wanted = value.inputs.map((input) => onPath.has(input));
    const parts = builder.scope(scope, () => rule(recomputation.copyOf(value), gradient, wanted));
    value.inputs.forEach((input, place) => {
      const contribution = wanted[place] ? parts[place] : null;
      if (!contribution) return;
      const sum = sums.get(input);
      const total = sum ? builder.scope(`backward/${input.scope}`, () => add(sum, contribution)) : contribution;
      sums.set(input, total);
      if (wantedOnes.has(input) || partOf(input.scope) !== part) reached.add(input);
    });
  }
  return targets.map((target) => {
    const sum = sums.get(target);
    if (!sum) {
      const name = (target.attributes as { name?: string }).name ?? target.op.name;
      throw new Error(`gradients: "${name}" has no effect on the loss`);
    }
    return reshape(sum, target.shape);
  }) as { -readonly [Place in keyof Targets]: Value };
};
