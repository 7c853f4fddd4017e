import { sameShape } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addMatmulOp } from '../ops/add-matmul.js';
import { addOp } from '../ops/arithmetic.js';
import { matmulOp } from '../ops/matmul.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import { countUses } from './count-uses.js';

/**
 * A matrix product that is read by a sum alone is added to the sum's other side as it is computed: adapters' parts, and gradients that
 * several products share, become a chain.
 */
export const chain = (graph: Graph): Graph => {
  const uses = countUses(graph);
  return rewriteGraph(graph, (value, inputs) => {
    if (!isMadeBy(value, addOp) || value.shape.length !== 2) return null;
    for (const place of [1, 0]) {
      const [product, addend] = [inputs[place]!, inputs[1 - place]!];
      if (!isMadeBy(product, matmulOp) || uses.get(value.inputs[place]!) !== 1 || !sameShape(product.shape, addend.shape)) continue;
      const [a, b] = product.inputs as [Value, Value];
      return apply(addMatmulOp, [a, b, addend], product.attributes);
    }
    return null;
  });
};
