import { add, type Dimension, matmul, mul, reshape, softmax, type Value } from '../../src/index.js';

/**
 * softmax(q k^T / sqrt(width) + bias) v, composed from primitives: what models do of them. q [heads, queries, width]; k, v [kv heads, keys, width];
 * bias [queries, keys]. Query heads that share a key head are rows of one product.
 */
export const attention = (q: Value, k: Value, v: Value, bias: Value): Value => {
  const [heads, queries, width] = q.shape as [number, Dimension, number];
  const [groups, keys] = k.shape as [number, Dimension, number];
  const perGroup = heads / groups;
  const stacked = reshape(q, [groups, `${perGroup}*${queries}`, width]);
  const scores = mul(matmul(stacked, k, { transB: true }), 1 / Math.sqrt(width));
  const biased = add(reshape(scores, [groups, perGroup, queries, keys]), bias);
  return reshape(matmul(reshape(softmax(biased), scores.shape), v), [heads, queries, v.shape[2]!]);
};
