import { ModelFormatError } from '../errors.js';
import type { Dtype } from './dtype.js';

/** Dtypes that {@link toFloat32} reads. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/**
 * The values of a tensor as float32; every F16 and BF16 value is exact there. F32 is returned as a view of `bytes` where they are aligned.
 * `bytes` are little-endian, as is every platform Node runs on but s390x. Errors: `not_supported` for any other dtype.
 */
export function toFloat32(dtype: Dtype, bytes: Uint8Array): Float32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(aligned(bytes, 4), bytes.byteOffset % 4 === 0 ? bytes.byteOffset : 0, bytes.length / 4);
    case 'F16':
      return halves(bytes, float16Table());
    case 'BF16':
      return brainFloats(bytes);
    default:
      throw new ModelFormatError('not_supported', `tensors of dtype ${dtype} are not read as numbers; F32, F16 and BF16 are`);
  }
}

function words(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(aligned(bytes, 2), bytes.byteOffset % 2 === 0 ? bytes.byteOffset : 0, bytes.length / 2);
}

function aligned(bytes: Uint8Array, size: number): ArrayBuffer {
  return (bytes.byteOffset % size === 0 ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
}

function halves(bytes: Uint8Array, table: Float32Array): Float32Array {
  const source = words(bytes);
  const target = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) target[i] = table[source[i]!]!;
  return target;
}

/** BF16 is the upper half of a float32. */
function brainFloats(bytes: Uint8Array): Float32Array {
  const source = words(bytes);
  const target = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) target[i] = source[i]! << 16;
  return new Float32Array(target.buffer);
}

let table: Float32Array | undefined;

/** All 65,536 half-precision numbers (IEEE 754 binary16). */
export function float16Table(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => float16(bits));
  return table;
}

function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
