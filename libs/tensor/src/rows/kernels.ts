// Operators of one row: how each is planned, once, and done, by its part of the threads.

import { elementCount } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { type AddMatmulAttributes, addMatmulOp } from '../ops/add-matmul.js';
import { cachedAttentionOp, grownCacheOp } from '../ops/cached-attention.js';
import { gatherOp } from '../ops/indexing.js';
import type { MatmulAttributes } from '../ops/matmul.js';
import { cachedAttention, grownCache } from './attention-kernels.js';
import { FLOAT_BYTES, type Places, type Planning, type RowKernel, type RowThread } from './kernel.js';
import { groupBytes, groupsOf, packedPlace, unitsOf } from './pack.js';
import { ELEMENT_BYTES, GROUP_ROWS, type MatrixKind, UNIT_COLUMNS } from './products.js';

const KINDS: readonly MatrixKind[] = ['f32', 'bf16'];

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

/** Element by element. `loop` is handed places in elements: a function called for each element would cost more than what it computes. */
const elementwise = (
  readsOwn: readonly number[],
  loop: (f32: Float32Array, from: number, to: number, result: number, operands: Places) => void,
): RowKernel => ({
  parts: 'rows',
  readsOwn,
  plan: planElements,
  run({ f32, share }, operands, result, [count]) {
    const [from, to] = elementsOf(share, count!);
    loop(
      f32,
      from,
      to,
      result / FLOAT_BYTES,
      operands.map((place) => place / FLOAT_BYTES),
    );
  },
});

const silu = elementwise([0], (f32, from, to, y, [x]) => {
  for (let i = from; i < to; i++) f32[y + i] = f32[x! + i]! / (1 + Math.exp(-f32[x! + i]!));
});

const mul = elementwise([0, 1], (f32, from, to, y, [a, b]) => {
  for (let i = from; i < to; i++) f32[y + i] = f32[a! + i]! * f32[b! + i]!;
});

const add = elementwise([0, 1], (f32, from, to, y, [a, b]) => {
  for (let i = from; i < to; i++) f32[y + i] = f32[a! + i]! + f32[b! + i]!;
});

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
