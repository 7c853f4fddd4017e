import { apply, type Primitive, type Value } from '@tunefleet/tensor';

interface CachedAttentionAttributes {
  heads: number;
  keyValueHeads: number;
  headSize: number;
}

/**
 * Attention of new tokens over the filled part of a cache, themselves, and the new ones before them; softmax(q k^T / sqrt(headSize)) v with each
 * key/value head shared by heads / keyValueHeads query heads (Ainslie et al., "GQA"). For reading only: no gradient.
 * Inputs: q [tokens, heads, headSize], k and v [tokens, keyValueHeads, headSize], past keys and values [1, keyValueHeads, past, headSize],
 * total [] of i32: filled slots of the past and the new tokens together. -> [tokens, heads * headSize].
 */
const cachedAttentionOp: Primitive<CachedAttentionAttributes> = {
  name: 'cachedAttention',
  type([q, k, v, pastKeys, pastValues, total], { heads, keyValueHeads, headSize }) {
    const expected = [
      [q!, [q!.shape[0]!, heads, headSize]],
      [k!, [q!.shape[0]!, keyValueHeads, headSize]],
      [v!, [q!.shape[0]!, keyValueHeads, headSize]],
      [pastKeys!, [1, keyValueHeads, pastKeys!.shape[2]!, headSize]],
      [pastValues!, [1, keyValueHeads, pastKeys!.shape[2]!, headSize]],
    ] as const;
    const misfit = expected.find(([{ dtype, shape }, wanted]) => dtype !== 'f32' || shape.join() !== wanted.join());
    if (misfit) throw new Error(`needs f32[${misfit[1].join(', ')}]`);
    if (total!.dtype !== 'i32' || total!.shape.length !== 0) throw new Error('total must be an i32 scalar');
    return { dtype: 'f32', shape: [q!.shape[0]!, heads * headSize] };
  },
  gradient: 'none',
  evaluate([q, k, v, pastKeys, pastValues, total], { heads, keyValueHeads, headSize }) {
    const [tokens, capacity] = [q!.shape[0]!, pastKeys!.shape[2]!];
    const filled = total!.data[0]! - tokens;
    const result = new Float64Array(tokens * heads * headSize);
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor((head * keyValueHeads) / heads);
        /** The key (value) at a place of the text: in the cache, or among the new ones. */
        const row = (past: Float64Array, added: Float64Array, place: number): Float64Array => {
          const at = place < filled ? shared * capacity + place : (place - filled) * keyValueHeads + shared;
          return (place < filled ? past : added).subarray(at * headSize, (at + 1) * headSize);
        };
        const from = (token * heads + head) * headSize;
        const query = q!.data.subarray(from, from + headSize);
        const scores = Array.from(
          { length: filled + token + 1 },
          (_, place) => row(pastKeys!.data, k!.data, place).reduce((sum, x, i) => sum + x * query[i]!, 0) / Math.sqrt(headSize),
        );
        const largest = scores.reduce((a, b) => Math.max(a, b));
        const masses = scores.map((score) => Math.exp(score - largest));
        const whole = masses.reduce((a, b) => a + b);
        masses.forEach((mass, place) => {
          row(pastValues!.data, v!.data, place).forEach((x, i) => {
            result[from + i]! += (mass / whole) * x;
          });
        });
      }
    }
    return result;
  },
  emit(emitter, [q, k, v, pastKeys, pastValues, total], { attributes: { heads, keyValueHeads, headSize }, inputs }) {
    const tokens = inputs[0]!.shape[0]!;
    // The kernel wants heads of a multiple of 8 elements: other ones (tiny models, and OpenLLaMA's of 100) are filled up with zeros, at the price of a copy of the cache.
    const width = Math.ceil(headSize / 8) * 8;
    const filled = (name: string, rank: number): string =>
      width === headSize ? name : emitter.op('Pad', [name, emitter.ints([...new Array<number>(2 * rank - 1).fill(0), width - headSize])]);
    const rows = (name: string, count: number): string =>
      emitter.op('Reshape', [filled(name, 3), emitter.shape([1, tokens, count * width])], { allowzero: 1 });
    const one = emitter.literal(Int32Array.of(1), 'i32', [1]);
    const lastPlace = emitter.op('Sub', [emitter.op('Reshape', [total!, emitter.ints([1])]), one]);
    // Its further outputs, the cache with the new rows, stay inside: fetching them would copy the whole cache for each token.
    const attended = emitter.op(
      'GroupQueryAttention',
      [rows(q!, heads), rows(k!, keyValueHeads), rows(v!, keyValueHeads), filled(pastKeys!, 4), filled(pastValues!, 4), lastPlace, total!],
      { num_heads: heads, kv_num_heads: keyValueHeads, scale: { float: 1 / Math.sqrt(headSize) } },
      'com.microsoft',
      3,
    );
    const flat = emitter.shape([tokens, heads * headSize]);
    if (width === headSize) return emitter.op('Reshape', [attended, flat], { allowzero: 1 });
    const wide = emitter.op('Reshape', [attended, emitter.shape([tokens, heads, width])], { allowzero: 1 });
    const own = emitter.op('Slice', [wide, emitter.ints([0]), emitter.ints([headSize]), emitter.ints([2])]);
    return emitter.op('Reshape', [own, flat], { allowzero: 1 });
  },
};

export interface CachedAttentionInputs {
  q: Value;
  k: Value;
  v: Value;
  pastKeys: Value;
  pastValues: Value;
  total: Value;
}

export const cachedAttention = (shape: CachedAttentionAttributes, { q, k, v, pastKeys, pastValues, total }: CachedAttentionInputs): Value =>
  apply(cachedAttentionOp, [q, k, v, pastKeys, pastValues, total], shape);
