import { readBytes } from '../graph/read-bytes.js';
import type { FrozenSource } from '../graph/value.js';
import type { SharedMemory } from '../webassembly/assembler.js';
import { FLOAT_BYTES } from './kernel.js';
import { reach } from './memory.js';
import { areBfloat16, groupBytes, groupsOf, packRows } from './pack.js';
import { ELEMENT_BYTES, GROUP_ROWS, type MatrixKind } from './products.js';
import { aligned, type PackedWeight, type RowWeight } from './steps.js';

/** Bytes of a matrix that are read at once. */
const READ_BYTES = 4 << 20;

/** `count` elements of a source from `element` on, as bits. */
const bitsOf = (source: FrozenSource, element: number, count: number): Uint32Array => {
  if ('data' in source) return new Uint32Array(source.data.buffer, source.data.byteOffset + FLOAT_BYTES * element, count);
  const bits = new Uint32Array(count);
  readBytes(source.file, source.offset + FLOAT_BYTES * element, new Uint8Array(bits.buffer));
  return bits;
};

/** Packs a matrix at `at`; null where it is not all bfloat16 and `kind` says so. */
const packAs = (memory: SharedMemory, kind: MatrixKind, { source, shape }: RowWeight, at: number): number | null => {
  const [rows, columns] = shape as [number, number];
  const bytes = groupBytes(kind, columns);
  const end = at + groupsOf(rows) * bytes;
  reach(memory, end);
  const buffer = memory.buffer as unknown as ArrayBuffer; // this version of the types has views of ArrayBuffer only
  const groups = Math.max(1, Math.floor(READ_BYTES / (GROUP_ROWS * columns * FLOAT_BYTES)));
  for (let group = 0; group < groupsOf(rows); group += groups) {
    const first = group * GROUP_ROWS;
    const bits = bitsOf(source, first * columns, Math.min(groups * GROUP_ROWS, rows - first) * columns);
    if (kind === 'bf16' && !areBfloat16(bits)) return null;
    const [from, to] = [at + group * bytes, at + Math.min(group + groups, groupsOf(rows)) * bytes];
    new Uint8Array(buffer, from, to - from).fill(0);
    const elements = (to - from) / ELEMENT_BYTES[kind];
    packRows(kind, bits, columns, kind === 'bf16' ? new Uint16Array(buffer, from, elements) : new Uint32Array(buffer, from, elements));
  }
  return end;
};

const load = (memory: SharedMemory, weight: RowWeight, at: number): { packed: PackedWeight; end: number } => {
  if (weight.shape.length !== 2) {
    const count = weight.shape.reduce((a, b) => a * b, 1);
    reach(memory, at + aligned(count * FLOAT_BYTES));
    new Uint32Array(memory.buffer, at, count).set(bitsOf(weight.source, 0, count));
    return { packed: { at, kind: 'f32' }, end: aligned(at + count * FLOAT_BYTES) };
  }
  const asHalves = packAs(memory, 'bf16', weight, at);
  if (asHalves !== null) return { packed: { at, kind: 'bf16' }, end: aligned(asHalves) };
  return { packed: { at, kind: 'f32' }, end: aligned(packAs(memory, 'f32', weight, at)!) };
};

/** Brings weights into memory, one behind the other from `at` on: matrices packed for products, vectors as they are. */
export const loadWeights = (
  memory: SharedMemory,
  weights: readonly RowWeight[],
  at: number,
): { places: readonly PackedWeight[]; end: number } => {
  let end = at;
  const places = weights.map((weight) => {
    const { packed, end: next } = load(memory, weight, end);
    end = next;
    return packed;
  });
  return { places, end };
};
