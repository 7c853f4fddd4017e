import type { Value } from '../graph/value.js';
import { mul, sub } from './arithmetic.js';
import { matmul, matmulOp } from './matmul.js';
import { apply, type Primitive } from './primitive.js';
import { reduceSum } from './reduction.js';
import { softmax } from './softmax.js';

const PLAIN = { transA: false, transB: false, alpha: 1 };

/**
 * probabilities v, where probabilities = softmax(scores): the value of the product, and a gradient that goes to the scores at once. A row's
 * sum of dP * P is its sum of dO * O, as wide as a head and not as long as the keys (Dao et al., "FlashAttention", section 3.1).
 */
export const softmaxMatmulOp: Primitive = {
  name: 'softmaxMatmul',
  type: ([probabilities, scores, v]) => {
    if (scores!.shape.join() !== probabilities!.shape.join()) throw new Error('scores and probabilities must have one shape');
    return matmulOp.type([probabilities!, v!], PLAIN);
  },
  gradient: (value, dy, wanted) => {
    const [probabilities, , v] = value.inputs as [Value, Value, Value];
    const ofScores = (): Value => {
      const sums = reduceSum(mul(dy, value), [-1], { keepDims: true });
      return mul(probabilities, sub(matmul(dy, v, { transB: true }), sums));
    };
    return [null, wanted[1] ? ofScores() : null, wanted[2] ? matmul(probabilities, dy, { transA: true }) : null];
  },
  evaluate: ([probabilities, , v], _, context) => matmulOp.evaluate([probabilities!, v!], PLAIN, context),
  emit: (emitter, [probabilities, , v]) => emitter.op('MatMul', [probabilities!, v!]),
};

/** softmax(scores) v: scores [..., m, k], v [..., k, n] of the same leading axes -> [..., m, n]. */
export const softmaxMatmul = (scores: Value, v: Value): Value => apply(softmaxMatmulOp, [softmax(scores), scores, v], {});
