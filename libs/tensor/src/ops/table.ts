import { addMatmulOp } from './add-matmul.js';
import { afterOp } from './after.js';
import { addOp, divOp, maximumOp, minimumOp, mulOp, subOp } from './arithmetic.js';
import { castOp } from './cast.js';
import { andOp, equalOp, lessOp, lessOrEqualOp, notOp, orOp, whereOp } from './comparison.js';
import { gatherOp, pickOp, scatterAddRowsOp } from './indexing.js';
import { dequantizeOp, int4LinearOp, int4Op } from './int4.js';
import { constantOp, frozenOp, inputOp, iotaOp, sizeOp } from './leaves.js';
import { matmulOp } from './matmul.js';
import { broadcastToOp, concatOp, padOp, reshapeOp, sliceOp, transposeOp } from './movement.js';
import { layerNormOp, rmsNormOp } from './normalization.js';
import type { Primitive } from './primitive.js';
import { argMaxOp, reduceMaxOp, reduceMeanOp, reduceSumOp } from './reduction.js';
import { ropeOp } from './rope.js';
import { logSoftmaxOp, softmaxOp } from './softmax.js';
import { softmaxMatmulOp } from './softmax-matmul.js';
import * as unary from './unary.js';

/**
 * Every primitive but those of a cache (cached-attention.ts), which nothing learns through. What is not here is composed of these (linear,
 * crossEntropy, rsqrt, ...).
 */
export const PRIMITIVES: readonly Primitive[] = [
  ...[inputOp, frozenOp, constantOp, iotaOp, sizeOp],
  ...[addOp, subOp, mulOp, divOp, maximumOp, minimumOp],
  ...[unary.negOp, unary.absOp, unary.expOp, unary.logOp, unary.sqrtOp, unary.reciprocalOp, unary.sinOp, unary.cosOp, unary.erfOp],
  ...[unary.tanhOp, unary.sigmoidOp, unary.reluOp, unary.siluOp, unary.geluOp, unary.geluTanhOp, unary.stopGradientOp],
  ...[equalOp, lessOp, lessOrEqualOp, andOp, orOp, notOp, whereOp, castOp],
  ...[matmulOp, addMatmulOp, reduceSumOp, reduceMeanOp, reduceMaxOp, argMaxOp],
  ...[reshapeOp, broadcastToOp, transposeOp, sliceOp, padOp, concatOp],
  ...[int4Op, dequantizeOp, int4LinearOp],
  ...[gatherOp, scatterAddRowsOp, pickOp, afterOp],
  ...[softmaxOp, softmaxMatmulOp, logSoftmaxOp, rmsNormOp, layerNormOp, ropeOp],
];
