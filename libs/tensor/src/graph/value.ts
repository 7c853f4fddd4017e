import type { Primitive } from '../ops/primitive.js';
import type { GraphBuilder } from './builder.js';
import type { Shape } from './dimension.js';

/**
 * f32: float32. i32: indices and counts. bool: results of comparisons, fed as Uint8Array of 0 and 1.
 * f16: float16, between products of a graph that is lowered to half precision: neither fed nor fetched.
 * i4: a frozen matrix in 4-bit blocks, which only `linear` and `dequantize` read.
 */
export type DType = 'f32' | 'f16' | 'i32' | 'bool' | 'i4';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** What a primitive needs besides tensors: a flat record of numbers, strings, booleans, dimensions, lists of them, typed arrays. */
export type Attributes = object;

/** Where the bytes of a frozen weight lie: little-endian, row-major, in memory or in a file at a byte offset. */
export type FrozenSource<Data = Float32Array> = { readonly data: Data } | { readonly file: string; readonly offset: number };

/** Where the parts of an `Int4Matrix` lie. */
export interface Int4Source {
  readonly codes: FrozenSource<Uint8Array>;
  readonly scales: FrozenSource;
}

/** One static single assignment: a tensor, and the primitive that makes it from others. Immutable. */
export interface Value extends TensorType {
  readonly id: number;
  readonly op: Primitive;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  /** Path of the model's parts that made it ("layers.3/attention"), for profiles and messages. */
  readonly scope: string;
  readonly builder: GraphBuilder;
}

/** Named outputs and every value they need, inputs before users. */
export interface Graph {
  readonly values: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
}

/** The graph that ends in `outputs`: reachable values only, in order of creation. */
export const graphOf = (outputs: Readonly<Record<string, Value>>): Graph => {
  const seen = new Set<Value>();
  const stack = Object.values(outputs);
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    stack.push(...value.inputs);
  }
  return { values: [...seen].sort((a, b) => a.id - b.id), outputs };
};
