import {
  add,
  and,
  equal,
  type GraphBuilder,
  iota,
  less,
  lessOrEqual,
  matmul,
  mul,
  or,
  reshape,
  softmax,
  type Value,
  where,
} from '@tunefleet/tensor';

export interface HeadShape {
  heads: number;
  /** each serves heads / keyValueHeads query heads (Ainslie et al., "GQA") */
  keyValueHeads: number;
  headSize: number;
}

/** Far below any score, and finite: exp of it is exactly 0. */
export const MASKED = -1e30;

/**
 * Attention of each query head over its key/value head. The query heads of a group are stacked as rows of one product.
 * @param q [batch, heads, queries, headSize] (queries: a number or one name), k and v [batch, keyValueHeads, keys, headSize]
 * @param bias added to the scores; broadcasts to [batch, keyValueHeads, group, queries, keys]
 * @returns [batch, heads, queries, headSize]
 */
export function groupedAttention({ heads, keyValueHeads, headSize }: HeadShape, q: Value, k: Value, v: Value, bias: Value): Value {
  const [batch, , queries] = q.shape as [number | string, number, number | string];
  const keys = k.shape[2]!;
  const group = heads / keyValueHeads;
  const rows = `${group}*${queries}`;
  const scores = mul(matmul(reshape(q, [batch, keyValueHeads, rows, headSize]), k, { transB: true }), 1 / Math.sqrt(headSize));
  const probabilities = softmax(add(reshape(scores, [batch, keyValueHeads, group, queries, keys]), bias));
  return reshape(matmul(reshape(probabilities, [batch, keyValueHeads, rows, keys]), v), [batch, heads, queries, headSize]);
}

/**
 * What each slot of [examples, span] attends to: itself and what is before it in its example. A pad attends to itself alone: its softmax is then
 * one-hot, whose gradient is exactly zero, so that pads change nothing.
 * @param lengths [examples] of i32
 * @returns [examples, 1, 1, span, span]: 0 or {@link MASKED}
 */
export function causalBias(builder: GraphBuilder, lengths: Value, span: string): Value {
  const query = reshape(iota(builder, span), [1, span, 1]);
  const key = reshape(iota(builder, span), [1, 1, span]);
  const real = less(query, reshape(lengths, [lengths.shape[0]!, 1, 1]));
  const visible = or(and(lessOrEqual(key, query), real), equal(key, query));
  return reshape(where(visible, builder.scalar(0, 'f32'), MASKED), [lengths.shape[0]!, 1, 1, span, span]);
}
