import {
  add,
  and,
  concat,
  equal,
  type GraphBuilder,
  iota,
  less,
  lessOrEqual,
  matmul,
  mul,
  or,
  reshape,
  slice,
  softmaxMatmul,
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
function groupedAttention({ heads, keyValueHeads, headSize }: HeadShape, q: Value, k: Value, v: Value, bias: Value): Value {
  const [batch, , queries] = q.shape as [number | string, number, number | string];
  const keys = k.shape[2]!;
  const group = heads / keyValueHeads;
  const rows = `${group}*${queries}`;
  const scores = mul(matmul(reshape(q, [batch, keyValueHeads, rows, headSize]), k, { transB: true }), 1 / Math.sqrt(headSize));
  const biased = add(reshape(scores, [batch, keyValueHeads, group, queries, keys]), bias);
  return reshape(softmaxMatmul(reshape(biased, [batch, keyValueHeads, rows, keys]), v), [batch, heads, queries, headSize]);
}

/** Blocks of queries, each of which meets only the keys up to its own end: 4 leave 5/8 of the arithmetic of a square. */
export const QUERY_BLOCKS = 4;

/** Slots of a block of queries. An even number, so that a product of an odd number of heads can be given to two cores in equal parts. */
export const BLOCK = '2*half_block';

const keysUpTo = (block: number): string => `${2 * (block + 1)}*half_block`;

/**
 * Causal attention within examples, in blocks of queries.
 * @param q [QUERY_BLOCKS, examples, heads, block, headSize], k and v [examples, keyValueHeads, QUERY_BLOCKS * block, headSize]
 * @param biases of {@link causalBiases}
 * @returns as q
 */
export function causalAttention(shape: HeadShape, q: Value, k: Value, v: Value, biases: readonly Value[]): Value {
  const upTo = (x: Value, block: number): Value => (block === QUERY_BLOCKS - 1 ? x : slice(x, 2, 0, keysUpTo(block)));
  const attended = biases.map((bias, block) => {
    const queries = reshape(slice(q, 0, block, block + 1), q.shape.slice(1));
    return reshape(groupedAttention(shape, queries, upTo(k, block), upTo(v, block), bias), [1, ...q.shape.slice(1)]);
  });
  return concat(attended as [Value, ...Value[]], 0);
}

/**
 * What the slots of each block attend to: themselves and what is before them in their example. A pad attends to itself alone: its softmax
 * is then one-hot, whose gradient is zero, and no other slot sees it, so that pads change nothing.
 * @param lengths [examples] of i32
 * @returns of each block [examples, 1, 1, block, keys]: 0 or {@link MASKED}
 */
export function causalBiases(builder: GraphBuilder, lengths: Value): Value[] {
  const examples = lengths.shape[0]!;
  return Array.from({ length: QUERY_BLOCKS }, (_, block) => {
    const keys = keysUpTo(block);
    const query = reshape(slice(iota(builder, keys), 0, keysUpTo(block - 1), keys), [1, BLOCK, 1]);
    const key = reshape(iota(builder, keys), [1, 1, keys]);
    const real = less(query, reshape(lengths, [examples, 1, 1]));
    const visible = or(and(lessOrEqual(key, query), real), equal(key, query));
    return reshape(where(visible, builder.scalar(0, 'f32'), MASKED), [examples, 1, 1, BLOCK, keys]);
  });
}
