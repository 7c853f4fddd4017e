import type { TensorData } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';

const ARRAYS = { f32: Float32Array, i32: Int32Array, bool: Uint8Array, i4: Uint8Array } as const satisfies Record<
  Exclude<DType, 'f16'>,
  unknown
>;

/** New memory for a tensor. */
export const newData = (dtype: DType, shape: readonly number[]): TensorData => {
  if (dtype === 'f16') throw new Error('f16 is for values inside a graph');
  return new ARRAYS[dtype](shape.reduce((a, b) => a * b, 1));
};
