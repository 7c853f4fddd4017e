// Attention of one token over a cache, and its row in the cache.

import type { CachedAttentionAttributes } from '../ops/cached-attention.js';
import { FLOAT_BYTES, type RowKernel, type RowThread } from './kernel.js';
import { QUAD, WIDE } from './products.js';

export const cachedAttention: RowKernel = {
  parts: 'heads',
  plan(value, { shapeOf }) {
    const { heads, keyValueHeads, headSize } = value.attributes as CachedAttentionAttributes;
    const [tokens] = shapeOf(value.inputs[0]!);
    if (tokens !== 1) throw new Error(`needs one token, not ${tokens}`);
    return [heads, keyValueHeads, headSize];
  },
  open: ({ inputs }) => [inputs[3]!.shape[2]!],
  scratch: ({ inputs }) => inputs[3]!.shape[2]!,
  run(thread, [q, k, v, pastKeys, pastValues, total, capacity], y, [heads, keyValueHeads, headSize]) {
    const { f32, i32, share, scratch } = thread;
    const bytes = headSize! * FLOAT_BYTES;
    const filled = i32[total! / 4]! - 1;
    const scores = scratch / FLOAT_BYTES;
    const [from, to] = share(heads!);
    for (let head = from; head < to; head++) {
      const shared = Math.floor((head * keyValueHeads!) / heads!);
      const [query, result] = [q! + head * bytes, y + head * bytes];
      dots(thread, pastKeys! + shared * capacity! * bytes, query, scratch, filled, headSize!);
      dots(thread, k! + shared * bytes, query, scratch + filled * FLOAT_BYTES, 1, headSize!);
      softmax(f32.subarray(scores, scores + filled + 1), 1 / Math.sqrt(headSize!));
      f32.fill(0, result / FLOAT_BYTES, result / FLOAT_BYTES + headSize!);
      addRows(thread, pastValues! + shared * capacity! * bytes, scratch, result, filled, headSize!);
      addRows(thread, v! + shared * bytes, scratch + filled * FLOAT_BYTES, result, 1, headSize!);
    }
  },
};

/** softmax of `scale` times the scores, in their place. */
const softmax = (scores: Float32Array, scale: number): void => {
  let largest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < scores.length; at++) largest = Math.max(largest, scores[at]!);
  let sum = 0;
  for (let at = 0; at < scores.length; at++) {
    const mass = Math.exp(scale * (scores[at]! - largest));
    scores[at] = mass;
    sum += mass;
  }
  for (let at = 0; at < scores.length; at++) scores[at]! /= sum;
};

// Rows that are no multiple of four columns (tiny models) are left to JavaScript.

const dots = ({ f32, products }: RowThread, matrix: number, x: number, y: number, rows: number, columns: number): void => {
  if (rows === 0) return;
  if (columns % WIDE === 0) {
    products.wideDots(matrix, x, y, rows, columns / WIDE);
    return;
  }
  if (columns % QUAD === 0) {
    products.dots(matrix, x, y, rows, columns / QUAD);
    return;
  }
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += f32[matrix / 4 + row * columns + column]! * f32[x / 4 + column]!;
    f32[y / 4 + row] = sum;
  }
};

const addRows = ({ f32, products }: RowThread, matrix: number, weights: number, y: number, rows: number, columns: number): void => {
  if (rows === 0) return;
  if (columns % WIDE === 0) {
    products.addWideRows(matrix, weights, y, rows, columns / WIDE);
    return;
  }
  if (columns % QUAD === 0) {
    products.addRows(matrix, weights, y, rows, columns / QUAD);
    return;
  }
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      f32[y / 4 + column]! += f32[matrix / 4 + row * columns + column]! * f32[weights / 4 + row]!;
    }
  }
};

/** The new row at its place in the cache. */
export const grownCache: RowKernel = {
  parts: 'first',
  takesPlaceOf: 2,
  plan(value, { shapeOf }) {
    const [tokens, keyValueHeads, headSize] = shapeOf(value.inputs[1]!) as [number, number, number];
    if (tokens !== 1) throw new Error(`needs one token, not ${tokens}`);
    return [keyValueHeads, headSize];
  },
  open: ({ shape }) => [shape[2]!],
  run({ f32, i32 }, [, row, , total, capacity], cache, [keyValueHeads, headSize]) {
    const place = i32[total! / 4]! - 1;
    if (place < 0 || place >= capacity!) throw new RangeError(`grownCache: slot ${place} of a cache of ${capacity}`);
    for (let head = 0; head < keyValueHeads!; head++) {
      const from = row! / FLOAT_BYTES + head * headSize!;
      f32.copyWithin(cache / FLOAT_BYTES + (head * capacity! + place) * headSize!, from, from + headSize!);
    }
  },
};
