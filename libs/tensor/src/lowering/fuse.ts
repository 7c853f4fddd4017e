import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { mulOp } from '../ops/arithmetic.js';
import { constantOp } from '../ops/leaves.js';
import { type MatmulAttributes, matmul, matmulOp } from '../ops/matmul.js';
import { transposeOp } from '../ops/movement.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import { softmaxMatmulOp } from '../ops/softmax-matmul.js';
import { countUses } from './count-uses.js';

/** What lies under transposes that exchange exactly the last two axes, and whether their number is odd. */
const underTransposes = (value: Value): { under: Value; odd: boolean } => {
  if (!isMadeBy(value, transposeOp)) return { under: value, odd: false };
  const { permutation } = value.attributes;
  const rank = permutation.length;
  const swapped = rank >= 2 && permutation.every((axis, place) => axis === (place < rank - 2 ? place : 2 * rank - 3 - place));
  if (!swapped) return { under: value, odd: false };
  const { under, odd } = underTransposes(value.inputs[0]!);
  return { under, odd: !odd };
};

const scalarConstant = (value: Value): number | null =>
  isMadeBy(value, constantOp) && value.dtype === 'f32' && value.shape.length === 0 ? value.attributes.data[0]! : null;

/** Transposes of the last two axes become flags of the product that reads them; a constant factor of a product becomes its alpha. */
export const fuse = (graph: Graph): Graph => {
  const uses = countUses(graph);
  return rewriteGraph(graph, (value, inputs) => {
    if (isMadeBy(value, matmulOp)) {
      const { transA, transB, alpha } = value.attributes;
      const [a, b] = [underTransposes(inputs[0]!), underTransposes(inputs[1]!)];
      if (a.under === inputs[0] && b.under === inputs[1]) return null;
      return apply(matmulOp, [a.under, b.under], { transA: transA !== a.odd, transB: transB !== b.odd, alpha });
    }
    // Its gradient has been taken; what is left is a product like others.
    if (isMadeBy(value, softmaxMatmulOp)) return matmul(inputs[0]!, inputs[2]!);
    if (isMadeBy(value, mulOp)) {
      const place = inputs.findIndex((input) => isMadeBy(input, matmulOp));
      const factor = place < 0 ? null : scalarConstant(inputs[1 - place]!);
      // Only where nothing else reads the product: else it would be computed twice.
      if (factor === null || uses.get(value.inputs[place]!) !== 1) return null;
      const product = inputs[place]!;
      const attributes = product.attributes as MatmulAttributes;
      const [a, b] = product.inputs as [Value, Value];
      return apply(matmulOp, [a, b], { ...attributes, alpha: attributes.alpha * factor });
    }
    return null;
  });
};
