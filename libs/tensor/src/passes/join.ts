import { countUses } from '../graph/count-uses.js';
import { addDimensions } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addOp } from '../ops/arithmetic.js';
import { concat, concatOp, pad, padOp } from '../ops/movement.js';
import { isMadeBy } from '../ops/primitive.js';

/** Both as one, where `first` is padded up to where `second` begins and the other way round; else null. */
const joined = (first: Value, second: Value): Value | null => {
  if (!isMadeBy(first, padOp) || !isMadeBy(second, padOp)) return null;
  const [before, after] = [first.attributes, second.attributes];
  const [head, tail] = [first.inputs[0]!, second.inputs[0]!];
  const { axis } = before;
  if (axis !== after.axis || addDimensions(before.before, head.shape[axis]!) !== after.before) return null;
  const parts = [head, tail].flatMap((part) => partsOf(part, axis)) as [Value, ...Value[]];
  return pad(concat(parts, axis), axis, before.before, after.after);
};

/** What a value is concatenated of: three neighbours are one concatenation, not one of one. */
const partsOf = (value: Value, axis: number): readonly Value[] =>
  isMadeBy(value, concatOp) && value.attributes.axis === axis ? value.inputs : [value];

/**
 * A sum of neighbours that were padded with zeros to one size is their concatenation: what is left of the gradients of slices, each of
 * which is a pad, when the slices cover a tensor.
 */
export const join = (graph: Graph): Graph => {
  const uses = countUses(graph);
  return rewriteGraph(graph, (value, inputs) => {
    // Read elsewhere, a pad would be made all the same.
    if (!isMadeBy(value, addOp) || value.inputs.some((input) => uses.get(input) !== 1)) return null;
    const [a, b] = inputs as [Value, Value];
    return joined(a, b) ?? joined(b, a);
  });
};
