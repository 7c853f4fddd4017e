import { countUses } from '../graph/count-uses.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { mulOp } from '../ops/arithmetic.js';
import { constantOp } from '../ops/leaves.js';
import { matmul, matmulOp } from '../ops/matmul.js';
import { transposeOp } from '../ops/movement.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import { softmaxMatmulOp } from '../ops/softmax-matmul.js';

const swapsLast = (permutation: readonly number[]): boolean => {
  const rank = permutation.length;
  return rank >= 2 && permutation.every((axis, place) => axis === (place < rank - 2 ? place : 2 * rank - 3 - place));
};

/**
 * What lies under transposes of exactly the last two axes and constant factors: whether the transposes' number is odd, and the factors'
 * product.
 */
const operand = (value: Value): { under: Value; odd: boolean; factor: number } => {
  if (isMadeBy(value, transposeOp) && swapsLast(value.attributes.permutation)) {
    const { under, odd, factor } = operand(value.inputs[0]!);
    return { under, odd: !odd, factor };
  }
  const scaled = isMadeBy(value, mulOp) ? scaledByConstant(value.inputs) : null;
  if (!scaled) return { under: value, odd: false, factor: 1 };
  const { under, odd, factor } = operand(scaled.value);
  return { under, odd, factor: factor * scaled.factor };
};

const scalarConstant = (value: Value): number | null =>
  isMadeBy(value, constantOp) && value.dtype === 'f32' && value.shape.length === 0 ? value.attributes.data[0]! : null;

const scaledByConstant = ([a, b]: readonly Value[]): { value: Value; factor: number } | null => {
  const [left, right] = [scalarConstant(a!), scalarConstant(b!)];
  if (right !== null) return { value: a!, factor: right };
  return left === null ? null : { value: b!, factor: left };
};

/**
 * Transposes of the last two axes become flags of the product that reads them; constant factors of it and of what it reads become its
 * alpha.
 */
export const fuse = (graph: Graph): Graph => {
  const uses = countUses(graph);
  return rewriteGraph(graph, (value, inputs) => {
    if (isMadeBy(value, matmulOp)) {
      const { transA, transB, alpha } = value.attributes;
      const [a, b] = [operand(inputs[0]!), operand(inputs[1]!)];
      if (a.under === inputs[0] && b.under === inputs[1]) return null;
      return apply(matmulOp, [a.under, b.under], {
        transA: transA !== a.odd,
        transB: transB !== b.odd,
        alpha: alpha * a.factor * b.factor,
      });
    }
    // Its gradient has been taken; what is left is a product like others.
    if (isMadeBy(value, softmaxMatmulOp)) return matmul(inputs[0]!, inputs[2]!);
    if (isMadeBy(value, mulOp)) {
      const scaled = scaledByConstant(inputs);
      // Only where nothing else reads the product: else it would be computed twice.
      if (!scaled || !isMadeBy(scaled.value, matmulOp) || uses.get(value.inputs[inputs.indexOf(scaled.value)]!) !== 1) return null;
      const [a, b] = scaled.value.inputs as [Value, Value];
      const { attributes } = scaled.value;
      return apply(matmulOp, [a, b], { ...attributes, alpha: attributes.alpha * scaled.factor });
    }
    return null;
  });
};
