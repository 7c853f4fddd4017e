// Symmetric 4-bit weights in blocks of 32 along a row: the numbers of GGUF's Q4_0 (ggml, quantize_row_q4_0_ref), laid out as ONNX Runtime
// reads them. A weight is (code - 8) * scale of its block.

export const INT4_BLOCK = 32;
/** The code of the number 0. */
const ZERO = 8;
/** Bytes of a block's codes. */
export const INT4_BLOCK_BYTES = INT4_BLOCK / 2;

/** A matrix [rows, columns] in 4 bits. */
export interface Int4Matrix {
  /**
   * [rows, blocks, 16]: two codes a byte, the lower four bits first; the end of a last block that the row does not fill holds zeros (code
   * 8)
   */
  readonly codes: Uint8Array;
  /** [rows, blocks]: each exact in half precision, as GGUF stores them */
  readonly scales: Float32Array;
}

export const int4Blocks = (columns: number): number => Math.ceil(columns / INT4_BLOCK);

/**
 * Rounds each block to 16 levels. The number furthest from zero (the first of equals) becomes level -8 exactly, whatever its sign: all
 * levels are used, at the price of the opposite end, which is cut off at 7.
 */
export const quantizeInt4 = (weights: Float32Array, rows: number, columns: number): Int4Matrix => {
  const blocks = int4Blocks(columns);
  const codes = new Uint8Array(rows * blocks * INT4_BLOCK_BYTES);
  const scales = new Float32Array(rows * blocks);
  for (let block = 0; block < rows * blocks; block++) {
    const start = Math.floor(block / blocks) * columns + (block % blocks) * INT4_BLOCK;
    const length = Math.min(INT4_BLOCK, columns - (block % blocks) * INT4_BLOCK);
    let furthest = 0;
    for (let at = 0; at < length; at++) {
      const weight = weights[start + at]!;
      if (Math.abs(weight) > Math.abs(furthest)) furthest = weight;
    }
    const scale = furthest / -ZERO; // a power of two: no rounding
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    scales[block] = toHalf(scale);
    if (!Number.isFinite(scales[block])) throw new RangeError(`a weight of ${furthest} is beyond 4-bit blocks: their scales end at 65504`);
    for (let at = 0; at < INT4_BLOCK; at++) {
      const level = at < length ? Math.fround(Math.fround(weights[start + at]! * inverse) + (ZERO + 0.5)) : ZERO;
      codes[block * INT4_BLOCK_BYTES + (at >> 1)]! |= Math.min(15, Math.trunc(level)) << (4 * (at & 1));
    }
  }
  return { codes, scales };
};

/** The numbers that the codes stand for, row-major. */
export const dequantizeInt4 = ({ codes, scales }: Int4Matrix, rows: number, columns: number): Float32Array => {
  const blocks = int4Blocks(columns);
  const weights = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * blocks * INT4_BLOCK + column;
      const code = (codes[at >> 1]! >> (4 * (at & 1))) & 0xf;
      weights[row * columns + column] = (code - ZERO) * scales[Math.floor(at / INT4_BLOCK)]!;
    }
  }
  return weights;
};

/** The nearest half-precision number (IEEE 754 binary16, ties to even). */
const toHalf = (number: number): number => {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(number))));
  const unit = 2 ** (exponent - 10);
  const steps = number / unit;
  const below = Math.floor(steps);
  const rest = steps - below;
  const rounded = (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below) * unit;
  return Math.abs(rounded) > 65_504 ? Math.sign(number) * Number.POSITIVE_INFINITY : rounded;
};
