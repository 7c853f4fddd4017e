import type { TensorData } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';

const ARRAYS = { f32: Float32Array, i32: Int32Array, bool: Uint8Array, i4: Uint8Array } as const satisfies Record<DType, unknown>;

/** New memory for a tensor. */
export const newData = (dtype: DType, shape: readonly number[]): TensorData => new ARRAYS[dtype](shape.reduce((a, b) => a * b, 1));
