import { graphOf, type Value } from '../graph/value.js';
import { add } from '../ops/arithmetic.js';
import { reshape } from '../ops/movement.js';

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
 * Reverse mode: gradients of a float32 scalar `loss` with respect to each of `targets`, of the targets' shapes, as values of the same graph.
 * Throws where an operator on the way has no gradient rule, and where a target has no effect on the loss.
 */
export const gradients = <const Targets extends readonly Value[]>(
  loss: Value,
  targets: Targets,
): { -readonly [Place in keyof Targets]: Value } => {
  if (loss.dtype !== 'f32' || loss.shape.length !== 0) throw new Error('gradients: the loss must be an f32 scalar (shape [])');
  const { builder } = loss;
  const { order, onPath } = pathTo(loss, new Set(targets));
  const sums = new Map<Value, Value>([[loss, builder.scalar(1, 'f32')]]);
  for (const value of order.reverse()) {
    const gradient = sums.get(value);
    if (!gradient || !value.inputs.some((input) => onPath.has(input))) continue;
    const rule = value.op.gradient;
    if (rule === 'none') continue;
    if (!rule)
      throw new Error(`gradients: operator "${value.op.name}" has no gradient rule${value.scope === '' ? '' : ` (in ${value.scope})`}`);
    const wanted = value.inputs.map((input) => onPath.has(input));
    const parts = builder.scope(value.scope === '' ? 'backward' : `backward/${value.scope}`, () => rule(value, gradient, wanted));
    value.inputs.forEach((input, place) => {
      const part = wanted[place] ? parts[place] : null;
      if (!part) return;
      const sum = sums.get(input);
      sums.set(input, sum ? builder.scope(`backward/${input.scope}`, () => add(sum, part)) : part);
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
