// Operators of one row: how each is planned, once, and done, by its part of the threads.

import { elementCount } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { type AddMatmulAttributes, addMatmulOp } from '../ops/add-matmul.js';
import { type CachedAttentionAttributes, cachedAttentionOp, grownCacheOp } from '../ops/cached-attention.js';
import { gatherOp } from '../ops/indexing.js';
import type { MatmulAttributes } from '../ops/matmul.js';
import { groupBytes, groupsOf, packedPlace, unitsOf } from './pack-rows.js';
import { ELEMENT_BYTES, GROUP_ROWS, type MatrixKind, QUAD, type RowProducts, UNIT_COLUMNS, WIDE } from './row-products.js';

/** What a kernel has on its thread. */
export interface RowThread {
  /** all of memory, as elements */
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u16: Uint16Array;
  readonly products: RowProducts;
  /** where its own bytes begin */
  readonly scratch: number;
  /** this thread's part of 0..count-1 */
  share(count: number): [from: number, to: number];
}

interface Planning {
  shapeOf(value: Value): readonly number[];
  /** how a matrix was packed; undefined for what is not one */
  kindOf(value: Value): MatrixKind | undefined;
}

type Places = readonly number[];

/**
 * Who computes what of a result. rows: each thread its elements, four by four; heads: its heads; first: the first thread all of it; every:
 * each thread all of it, for itself, where that costs less than waiting for another.
 */
type Parts = 'rows' | 'heads' | 'first' | 'every';

export interface RowKernel {
  readonly parts: Parts;
  /** Of kernels with `rows`: operands of which only the elements of its own result's places are read. */
  readonly readsOwn?: readonly number[];
  /** The numbers that `run` needs. Throws an Error that says what it cannot do. */
  plan(value: Value, planning: Planning): number[];
  /** Sizes that a run decides: they come behind the operands. */
  open?(value: Value): (number | string)[];
  run(thread: RowThread, operands: Places, result: number, numbers: readonly number[]): void;
  /** the operand in whose memory the result lies */
  readonly takesPlaceOf?: number;
  /** The bytes that `run` of a thread reads first, of those that no step writes. */
  reads?(share: RowThread['share'], operands: Places, numbers: readonly number[]): { at: number; end: number };
  /** dimension whose float32 vector a thread needs for itself */
  scratch?(value: Value): number | string;
}

const KINDS: readonly MatrixKind[] = ['f32', 'bf16'];
const FLOAT_BYTES = 4;

const countOf = (shape: readonly number[]): number => elementCount(shape) as number;

const requireRow = (value: Value, { shapeOf }: Planning): number => {
  const shape = shapeOf(value);
  if (countOf(shape) !== shape.at(-1)) throw new Error(`needs one row, [${shape.join(', ')}] are more`);
  return countOf(shape);
};

/** y = alpha x W^T, plus an addend. */
const product: RowKernel = {
  parts: 'rows',
  readsOwn: [2],
  plan(value, planning) {
    const [x, matrix] = value.inputs;
    const { transA, transB, alpha } = value.attributes as MatmulAttributes | AddMatmulAttributes;
    const kind = planning.kindOf(matrix!);
    if (kind === undefined || transA || !transB) throw new Error('needs x W^T of a W that does not change');
    requireRow(x!, planning);
    const [rows, columns] = planning.shapeOf(matrix!) as [number, number];
    return [KINDS.indexOf(kind), groupsOf(rows), unitsOf(columns), alpha];
  },
  reads(share, [, matrix], [kind, groups, units]) {
    const [bytes, [from, to]] = [groupBytes(KINDS[kind!]!, units! * UNIT_COLUMNS), share(groups!)];
    return { at: matrix! + from * bytes, end: matrix! + to * bytes };
  },
  run({ f32, products, share }, [x, matrix, addend], y, [kind, groups, units, alpha]) {
    const [from, to] = share(groups!);
    if (from === to) return;
    const name = KINDS[kind!]!;
    products[name](matrix! + from * groupBytes(name, units! * UNIT_COLUMNS), x!, y + from * GROUP_ROWS * FLOAT_BYTES, to - from, units!);
    if (addend === undefined && alpha === 1) return;
    const [at, added] = [y / FLOAT_BYTES, (addend ?? 0) / FLOAT_BYTES];
    for (let row = from * GROUP_ROWS; row < to * GROUP_ROWS; row++) {
      f32[at + row] = alpha! * f32[at + row]! + (addend === undefined ? 0 : f32[added + row]!);
    }
  },
};

/** Row `id` of a table. */
const gather: RowKernel = {
  parts: 'every',
  plan(value, planning) {
    const [table, ids] = value.inputs;
    if (countOf(planning.shapeOf(ids!)) !== 1) throw new Error('needs one id');
    const [rows, width] = [planning.shapeOf(table!)[0]!, requireRow(value, planning)];
    const kind = planning.kindOf(table!);
    return [kind === undefined ? -1 - KINDS.length : KINDS.indexOf(kind), rows, width];
  },
  run({ f32, i32, u16 }, [table, ids], y, [kind, rows, width]) {
    const id = i32[ids! / 4]!;
    if (id < 0 || id >= rows!) throw new RangeError(`gather: id ${id} is outside 0..${rows! - 1}`);
    const name = KINDS[kind!];
    const to = y / FLOAT_BYTES;
    if (name === undefined) {
      f32.copyWithin(to, table! / FLOAT_BYTES + id * width!, table! / FLOAT_BYTES + (id + 1) * width!);
      return;
    }
    const from = table! / ELEMENT_BYTES[name];
    for (let column = 0; column < width!; column++) {
      const at = from + packedPlace(name, width!, id, column);
      if (name === 'f32') f32[to + column] = f32[at]!;
      else i32[to + column] = u16[at]! << 16;
    }
  },
};

const rmsNorm: RowKernel = {
  parts: 'every',
  plan: (value, planning) => [requireRow(value, planning), (value.attributes as { epsilon: number }).epsilon],
  run({ f32 }, [x, weight], y, [width, epsilon]) {
    const [from, scale, to] = [x! / FLOAT_BYTES, weight! / FLOAT_BYTES, y / FLOAT_BYTES];
    let sum = 0;
    for (let at = 0; at < width!; at++) sum += f32[from + at]! ** 2;
    const factor = 1 / Math.sqrt(sum / width! + epsilon!);
    for (let at = 0; at < width!; at++) f32[to + at] = f32[from + at]! * factor * f32[scale + at]!;
  },
};

const rope: RowKernel = {
  parts: 'every',
  plan(value, { shapeOf }) {
    const [tokens, heads, width] = shapeOf(value) as [number, number, number];
    if (tokens !== 1) throw new Error(`needs one token, not ${tokens}`);
    return [heads, width / 2];
  },
  run({ f32 }, [x, cosines, sines], y, [heads, half]) {
    const [c, s] = [cosines! / FLOAT_BYTES, sines! / FLOAT_BYTES];
    for (let head = 0; head < heads!; head++) {
      const [from, to] = [x! / FLOAT_BYTES + 2 * half! * head, y / FLOAT_BYTES + 2 * half! * head];
      for (let i = 0; i < half!; i++) {
        const [first, second] = [f32[from + i]!, f32[from + half! + i]!];
        f32[to + i] = first * f32[c + i]! - second * f32[s + i]!;
        f32[to + half! + i] = second * f32[c + i]! + first * f32[s + i]!;
      }
    }
  },
};

const planElements: RowKernel['plan'] = (value, { shapeOf }) => {
  const count = countOf(shapeOf(value));
  if (value.inputs.some((input) => countOf(shapeOf(input)) !== count)) throw new Error('needs operands of one size');
  return [count];
};

/** The elements of this thread's groups of rows. */
const elementsOf = (share: RowThread['share'], count: number): [from: number, to: number] => {
  const [from, to] = share(groupsOf(count));
  return [from * GROUP_ROWS, Math.min(count, to * GROUP_ROWS)];
};

// Each loop is written out: a function called for each element costs more than what it computes.
const silu: RowKernel = {
  parts: 'rows',
  readsOwn: [0],
  plan: planElements,
  run({ f32, share }, [x], y, [count]) {
    const [from, to] = elementsOf(share, count!);
    const [given, at] = [x! / FLOAT_BYTES, y / FLOAT_BYTES];
    for (let i = from; i < to; i++) f32[at + i] = f32[given + i]! / (1 + Math.exp(-f32[given + i]!));
  },
};

const mul: RowKernel = {
  parts: 'rows',
  readsOwn: [0, 1],
  plan: planElements,
  run({ f32, share }, [a, b], y, [count]) {
    const [from, to] = elementsOf(share, count!);
    const [left, right, at] = [a! / FLOAT_BYTES, b! / FLOAT_BYTES, y / FLOAT_BYTES];
    for (let i = from; i < to; i++) f32[at + i] = f32[left + i]! * f32[right + i]!;
  },
};

const add: RowKernel = {
  parts: 'rows',
  readsOwn: [0, 1],
  plan: planElements,
  run({ f32, share }, [a, b], y, [count]) {
    const [from, to] = elementsOf(share, count!);
    const [left, right, at] = [a! / FLOAT_BYTES, b! / FLOAT_BYTES, y / FLOAT_BYTES];
    for (let i = from; i < to; i++) f32[at + i] = f32[left + i]! + f32[right + i]!;
  },
};

const cachedAttention: RowKernel = {
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
const grownCache: RowKernel = {
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

/** By the name of the primitive. */
export const ROW_KERNELS: Readonly<Record<string, RowKernel>> = {
  matmul: product,
  [addMatmulOp.name]: product,
  [gatherOp.name]: gather,
  rmsNorm,
  rope,
  silu,
  mul,
  add,
  [cachedAttentionOp.name]: cachedAttention,
  [grownCacheOp.name]: grownCache,
};
