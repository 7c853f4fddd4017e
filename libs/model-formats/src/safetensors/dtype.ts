/**
 * Dtypes of the safetensors format with their size in bits, in the library's own order: its writer puts tensors of a later dtype first, so that
 * each is aligned.
 */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type Dtype = keyof typeof BITS;

const ORDER = new Map(Object.keys(BITS).map((dtype, index) => [dtype, index]));

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(BITS, name);
}

/** Orders dtypes as the safetensors writer does. */
export function compareDtypes(a: Dtype, b: Dtype): number {
  return ORDER.get(a)! - ORDER.get(b)!;
}

/** Number of elements of a shape, or undefined where it leaves the integers that a double holds exactly. */
export function elementCount(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** Bytes of a tensor, or undefined where they overflow or do not fill whole bytes. */
export function byteLength(dtype: Dtype, shape: readonly number[]): number | undefined {
  const count = elementCount(shape);
  if (count === undefined) return undefined;
  const bits = count * BITS[dtype];
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined;
}
