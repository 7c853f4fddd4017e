import { sameShape } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addOp } from '../ops/arithmetic.js';
import { scatterAddRows, scatterAddRowsOp } from '../ops/indexing.js';
import { concat } from '../ops/movement.js';
import { isMadeBy } from '../ops/primitive.js';

const merged = (scatter: Value, other: Value): Value | null => {
  if (!isMadeBy(scatter, scatterAddRowsOp) || scatter.inputs.length > 2 || !sameShape(scatter.shape, other.shape)) return null;
  const { rows } = scatter.attributes;
  const [ids, updates] = scatter.inputs as [Value, Value];
  if (!isMadeBy(other, scatterAddRowsOp)) return scatterAddRows(rows, ids, updates, other);
  const [otherIds, otherUpdates, into] = other.inputs as [Value, Value, Value?];
  return scatterAddRows(rows, concat([otherIds, ids], 0), concat([otherUpdates, updates], 0), into);
};

/**
 * Rows that are scattered into zeros and then added to something are scattered into it: an embedding's gradient is a table that is mostly
 * zero.
 */
export const mergeScatters = (graph: Graph): Graph =>
  rewriteGraph(graph, (value, inputs) => {
    if (!isMadeBy(value, addOp)) return null;
    const [a, b] = inputs as [Value, Value];
    return merged(b, a) ?? merged(a, b);
  });
