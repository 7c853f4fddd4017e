import { type Emitter, MICROSOFT } from '../emit/emitter.js';
import type { Value } from '../graph/value.js';
import { apply, type Primitive } from './primitive.js';

export interface CachedAttentionAttributes {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/**
 * Attention of new tokens over the filled part of a cache, themselves, and the new ones before them; softmax(q k^T / sqrt(headSize)) v with
 * each key/value head shared by heads / keyValueHeads query heads (Ainslie et al., "GQA"). For reading only: no gradient. Inputs: q
 * [tokens, heads, headSize], k and v [tokens, keyValueHeads, headSize], past keys and values [1, keyValueHeads, past, headSize], total []
 * of i32: filled slots of the past and the new tokens together. -> [tokens, heads * headSize].
 */
export const cachedAttentionOp: Primitive<CachedAttentionAttributes> = {
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
    // The kernel wants heads of a multiple of 8 elements: other ones (tiny models, and OpenLLaMA's of 100) are filled up with zeros, at the
    // price of a copy of the cache.
    const width = Math.ceil(headSize / 8) * 8;
    const filled = (name: string, rank: number): string =>
      width === headSize ? name : emitter.op('Pad', [name, emitter.ints([...new Array<number>(2 * rank - 1).fill(0), width - headSize])]);
    const rows = (name: string, count: number): string =>
      emitter.op('Reshape', [filled(name, 3), emitter.shape([1, tokens, count * width])], { allowzero: 1 });
    const one = emitter.literal(Int32Array.of(1), 'i32', [1]);
    const lastPlace = emitter.op('Sub', [emitter.op('Reshape', [total!, emitter.ints([1])]), one]);
    const [attended, ...grown] = emitter.ops(
      3,
      'GroupQueryAttention',
      [rows(q!, heads), rows(k!, keyValueHeads), rows(v!, keyValueHeads), filled(pastKeys!, 4), filled(pastValues!, 4), lastPlace, total!],
      { num_heads: heads, kv_num_heads: keyValueHeads, scale: { float: 1 / Math.sqrt(headSize) } },
      MICROSOFT,
    );
    const cut = (name: string, axis: number): string =>
      width === headSize ? name : emitter.op('Slice', [name, emitter.ints([0]), emitter.ints([headSize]), emitter.ints([axis])]);
    const flat = emitter.shape([tokens, heads * headSize]);
    const wide =
      width === headSize ? attended! : emitter.op('Reshape', [attended!, emitter.shape([tokens, heads, width])], { allowzero: 1 });
    const result = emitter.op('Reshape', [cut(wide, 2), flat], { allowzero: 1 });
    const known = grownCaches.get(emitter) ?? new Map<string, readonly string[]>();
    grownCaches.set(emitter, known.set(result, [cut(grown[0]!, 3), cut(grown[1]!, 3)]));
    return result;
  },
};

/**
 * Names of the caches with the new rows, keys' and values', by the name of the attention that the same kernel gave: a primitive has one
 * result.
 */
const grownCaches = new WeakMap<Emitter, Map<string, readonly string[]>>();

/**
 * The cache of keys (`part` 0) or values (1) with the new rows behind the filled ones, [1, keyValueHeads, past, headSize]. Bound to the
 * memory of the past cache (`inPlace`), the kernel writes the new rows there and copies nothing, where headSize is a multiple of 8; else
 * the cache is copied. Inputs: what `cachedAttention` gave, the new rows [tokens, keyValueHeads, headSize], the past cache, total.
 */
export const grownCacheOp: Primitive<{ part: number }> = {
  name: 'grownCache',
  overwrites: true,
  type: ([, , past]) => ({ dtype: 'f32', shape: past!.shape }),
  gradient: 'none',
  evaluate([, rows, past, total]) {
    const [tokens, keyValueHeads, headSize] = rows!.shape as [number, number, number];
    const capacity = past!.shape[2]!;
    const result = Float64Array.from(past!.data);
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < keyValueHeads; head++) {
        const from = (token * keyValueHeads + head) * headSize;
        result.set(rows!.data.subarray(from, from + headSize), (head * capacity + total!.data[0]! - tokens + token) * headSize);
      }
    }
    return result;
  },
  emit(emitter, [attended], { attributes: { part } }) {
    const caches = grownCaches.get(emitter)?.get(attended!);
    if (!caches) throw new Error('grownCache: its first input is not what cachedAttention gave');
    return caches[part]!;
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

/** The attention, and the caches that the next tokens need. The caches have room for the new rows. */
export function cachedAttention(
  shape: CachedAttentionAttributes,
  { q, k, v, pastKeys, pastValues, total }: CachedAttentionInputs,
): { attended: Value; keys: Value; values: Value } {
  const attended = apply(cachedAttentionOp, [q, k, v, pastKeys, pastValues, total], shape);
  const grown = (part: number, rows: Value, past: Value): Value => apply(grownCacheOp, [attended, rows, past, total], { part });
  return { attended, keys: grown(0, k, pastKeys), values: grown(1, v, pastValues) };
}
