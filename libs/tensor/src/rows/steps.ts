// What a program of one-row operators is, as it goes to the threads that run it.

import type { FrozenSource } from '../graph/value.js';

/** A place in memory, in bytes; a negative number -1-n stands for entry n of what a run is given. */
export type Place = number;

/** A buffer of which each thread has its own: the first's place, and how far they are apart, in bytes. */
export interface OwnPlace {
  readonly own: number;
  readonly stride: number;
}

/** One operator of one row. */
export interface RowStep {
  readonly kernel: string;
  /** whether the first thread alone does it */
  readonly byFirst: boolean;
  /** whether every thread must have ended the steps before it */
  readonly waits: boolean;
  readonly operands: readonly Place[];
  readonly result: Place;
  /** what else its kernel needs */
  readonly numbers: readonly number[];
}

/** A frozen tensor to be brought into memory: a matrix packed for products, a vector as it is. */
export interface RowWeight {
  readonly source: FrozenSource;
  readonly shape: readonly number[];
}

export type ToThread =
  | { readonly type: 'pack'; readonly weights: readonly RowWeight[]; readonly at: number }
  | { readonly type: 'keep'; readonly program: number; readonly steps: readonly RowStep[] }
  | { readonly type: 'forget'; readonly program: number }
  /** `scratch`: bytes of a thread's own */
  | {
      readonly type: 'run';
      readonly program: number;
      readonly given: readonly (number | OwnPlace)[];
      readonly scratch: { at: number; bytes: number };
    };

export type FromThread =
  | { readonly type: 'packed'; readonly places: readonly PackedWeight[]; readonly end: number }
  | { readonly type: 'ran' };

/** Where a weight lies; `kind` of a vector is f32. */
export interface PackedWeight {
  readonly at: number;
  readonly kind: 'f32' | 'bf16';
}

/** Multiple of bytes at which tensors begin: a cache line, and as many floats as a unit of columns is filled up to. */
export const ALIGNMENT = 64;
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
