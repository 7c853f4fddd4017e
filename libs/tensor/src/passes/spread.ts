import { sameShape } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addOp, divOp, mulOp, subOp } from '../ops/arithmetic.js';
import { broadcastShapes } from '../ops/broadcast-rules.js';
import { broadcastToOp } from '../ops/movement.js';
import { apply, isMadeBy } from '../ops/primitive.js';

const ELEMENTWISE = [addOp, subOp, mulOp, divOp];

/** Arithmetic repeats short axes itself: a tensor that was repeated for it (the gradients of sums and means) is read as it was. */
export const spread = (graph: Graph): Graph =>
  rewriteGraph(graph, (value, inputs) => {
    const op = ELEMENTWISE.find((one) => isMadeBy(value, one));
    if (!op) return null;
    let [a, b] = inputs as [Value, Value];
    const fits = (x: Value, y: Value): boolean => sameShape(broadcastShapes(x.shape, y.shape), value.shape);
    if (isMadeBy(a, broadcastToOp) && fits(a.inputs[0]!, b)) a = a.inputs[0]!;
    if (isMadeBy(b, broadcastToOp) && fits(a, b.inputs[0]!)) b = b.inputs[0]!;
    return a === inputs[0] && b === inputs[1] ? null : apply(op, [a, b], {});
  });
