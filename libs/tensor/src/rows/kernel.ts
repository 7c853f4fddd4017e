// What an operator of one row is to the program and to its threads.

import type { Value } from '../graph/value.js';
import type { MatrixKind, RowProducts } from './products.js';

export const FLOAT_BYTES = 4;

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

export interface Planning {
  shapeOf(value: Value): readonly number[];
  /** how a matrix was packed; undefined for what is not one */
  kindOf(value: Value): MatrixKind | undefined;
}

export type Places = readonly number[];

/**
 * Who computes what of a result. rows: each thread its elements, four by four; heads: its heads; first: the first thread all of it; every:
 * each thread all of it, for itself, where that costs less than waiting for another.
 */
export type Parts = 'rows' | 'heads' | 'first' | 'every';

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
