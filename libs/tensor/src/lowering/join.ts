import { addDimensions } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addOp } from '../ops/arithmetic.js';
import { concat, pad, padOp } from '../ops/movement.js';
import { isMadeBy } from '../ops/primitive.js';

/** Both as one, where `first` is padded up to where `second` begins and the other way round; else null. */
const joined = (first: Value, second: Value): Value | null => {
  if (!isMadeBy(first, padOp) || !isMadeBy(second, padOp)) return null;
  const [before, after] = [first.attributes, second.attributes];
  const [head, tail] = [first.inputs[0]!, second.inputs[0]!];
  const { axis } = before;
  if (axis !== after.axis || addDimensions(before.before, head.shape[axis]!) !== after.before) return null;
  return pad(concat([head, tail], axis), axis, before.before, after.after);
};

/**
 * A sum of neighbours that were padded with zeros to one size is their concatenation: what is left of the gradients of slices, each of which is a
 * pad, when the slices cover a tensor.
 */
export const join = (graph: Graph): Graph =>
  rewriteGraph(graph, (value, inputs) => {
    if (!isMadeBy(value, addOp)) return null;
    const [a, b] = inputs as [Value, Value];
    return joined(a, b) ?? joined(b, a);
  });
