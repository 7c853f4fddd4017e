import { add, and, equal, type GraphBuilder, iota, less, matmul, mul, or, reshape, softmax, type Value, where } from '@tunefleet/tensor';
import { MASKED } from './attention.js';

/**
 * Attention of every query over all keys of its example.
 * @param q [examples, heads, queries, headSize], k and v [examples, heads, span, headSize]
 * @param bias added to the scores; broadcasts to [examples, heads, queries, span]
 * @param dropout applied to the probabilities
 * @returns [examples, heads, queries, headSize]
 */
export function bidirectionalAttention(q: Value, k: Value, v: Value, bias: Value, dropout: (probabilities: Value) => Value): Value {
  const scores = mul(matmul(q, k, { transB: true }), 1 / Math.sqrt(Number(q.shape[3])));
  return matmul(dropout(softmax(add(scores, bias))), v);
}

/**
 * What each slot of [examples, span] attends to: all of its example. A pad attends to itself alone: its softmax is then one-hot, whose
 * gradient is exactly zero, so that pads change nothing.
 * @param lengths [examples] of i32, places [span] of i32: 0, 1, ...
 * @returns [examples, 1, span, span]: 0 or {@link MASKED}
 */
export function bidirectionalBias(lengths: Value, places: Value): Value {
  const [examples, span] = [lengths.shape[0]!, places.shape[0]!];
  const query = reshape(places, [1, span, 1]);
  const key = reshape(places, [1, 1, span]);
  const length = reshape(lengths, [examples, 1, 1]);
  const visible = or(and(less(key, length), less(query, length)), equal(key, query));
  return reshape(where(visible, lengths.builder.scalar(0, 'f32'), MASKED), [examples, 1, span, span]);
}

/** What one query of each example attends to, [examples, 1, 1, span]. */
export function wholeExampleBias(builder: GraphBuilder, lengths: Value, span: string): Value {
  const real = less(reshape(iota(builder, span), [1, span]), reshape(lengths, [lengths.shape[0]!, 1]));
  return reshape(where(real, builder.scalar(0, 'f32'), MASKED), [lengths.shape[0]!, 1, 1, span]);
}
