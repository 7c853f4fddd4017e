import { type Dimension, multiplyDimensions } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { add, mul } from './arithmetic.js';
import { where } from './comparison.js';
import { matmul } from './matmul.js';
import { reshape } from './movement.js';
import { softmax } from './softmax.js';

/** Added to the score of a forbidden pair: far below any real score, yet finite, so that a row without any permitted pair stays finite. */
const FORBIDDEN = -1e30;

/** Turns a bool mask of permitted pairs into the bias that `attention` adds to scores: make it once for all layers. */
export const attentionBias = (permitted: Value): Value => where(permitted, permitted.builder.scalar(0, 'f32'), FORBIDDEN);

/**
 * softmax(q k^T scale + bias) v. q [heads, queries, width]; k, v [kv heads, keys, width]; bias [queries, keys] -> [heads, queries, width].
 * Query heads that share a key head (grouped-query attention, Ainslie et al., arXiv 2305.13245) are rows of one product: keys are never repeated.
 */
export const attention = (q: Value, k: Value, v: Value, bias: Value, scale?: number): Value => {
  const [heads, queries, width] = q.shape as [number, Dimension, number];
  const [groups, keys] = k.shape as [number, Dimension, number];
  if (q.shape.length !== 3 || k.shape.length !== 3 || typeof heads !== 'number' || typeof groups !== 'number' || heads % groups !== 0) {
    throw new Error('attention: needs q [heads, queries, width] and k, v [kv heads, keys, width], kv heads dividing heads');
  }
  const perGroup = heads / groups;
  const stacked = reshape(q, [groups, multiplyDimensions(perGroup, queries), width]);
  const scores = mul(matmul(stacked, k, { transB: true }), scale ?? 1 / Math.sqrt(width));
  const biased = add(reshape(scores, [groups, perGroup, queries, keys]), bias);
  const probabilities = reshape(softmax(biased), scores.shape);
  return reshape(matmul(probabilities, v), [heads, queries, v.shape[2]!]);
};
