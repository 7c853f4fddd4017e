import { float16Table, toFloat32 } from '../safetensors/float.js';
import { blockOf, type GgufDtype } from './types.js';

/** Writes the values of the block that begins at `at` of `bytes` into `out` from `to` on. */
type Block = (bytes: Uint8Array, half: (at: number) => number, at: number, out: Float32Array, to: number) => void;

// Scales are halves (11 bits) and codes have 8 bits at most: every product below is exact in float64, so that storing the result rounds once,
// as float32 arithmetic in ggml and in the gguf package does. Layouts: ggml-common.h, ggml-quants.c.

/** Half d, 32 codes of 8 bits: d * q. */
const q8_0: Block = (bytes, half, at, out, to) => {
  const d = half(at);
  for (let i = 0; i < 32; i++) out[to + i] = d * ((bytes[at + 2 + i]! << 24) >> 24);
};

/** Half d, 16 bytes with codes i (low) and i + 16 (high): d * (q - 8). */
const q4_0: Block = (bytes, half, at, out, to) => {
  const d = half(at);
  for (let i = 0; i < 16; i++) {
    const code = bytes[at + 2 + i]!;
    out[to + i] = d * ((code & 15) - 8);
    out[to + 16 + i] = d * ((code >> 4) - 8);
  }
};

/** Halves d and m, 16 bytes of codes as in Q4_0: d * q + m. */
const q4_1: Block = (bytes, half, at, out, to) => {
  const d = half(at);
  const m = half(at + 2);
  for (let i = 0; i < 16; i++) {
    const code = bytes[at + 4 + i]!;
    out[to + i] = d * (code & 15) + m;
    out[to + 16 + i] = d * (code >> 4) + m;
  }
};

/** Halves d and m, 8 pairs of 6-bit scale and minimum in 12 bytes, 128 bytes of codes: d * scale * q - m * minimum for each 32 values. */
const q4_k: Block = (bytes, half, at, out, to) => {
  const d = half(at);
  const m = half(at + 2);
  const packed = at + 4;
  for (let group = 0; group < 8; group++) {
    const low = bytes[packed + group]!;
    const mid = bytes[packed + 4 + group]!;
    // The first four pairs lie in the low 6 bits of bytes 0-3 and 4-7; the others in the halves of bytes 8-11, topped up by those bytes' high 2 bits.
    const scale = group < 4 ? low & 63 : (mid & 15) | ((bytes[packed + group - 4]! >> 6) << 4);
    const minimum = group < 4 ? mid & 63 : (mid >> 4) | ((low >> 6) << 4);
    const codes = at + 16 + (group >> 1) * 32;
    const shift = (group & 1) * 4;
    for (let i = 0; i < 32; i++) out[to + group * 32 + i] = d * scale * ((bytes[codes + i]! >> shift) & 15) - m * minimum;
  }
};

/** 128 bytes with the low 4 bits of codes, 64 with the high 2, 16 signed scales of 16 values each, half d: d * scale * (q - 32). */
const q6_k: Block = (bytes, half, at, out, to) => {
  const d = half(at + 208);
  for (let i = 0; i < 256; i++) {
    const [part, within] = [i >> 7, i & 127]; // two halves of 128 values
    const [quarter, column] = [within >> 5, within & 31]; // four rows of 32 in each
    const low = bytes[at + part * 64 + (quarter & 1) * 32 + column]! >> ((quarter >> 1) * 4);
    const high = bytes[at + 128 + part * 32 + column]! >> (quarter * 2);
    const scale = (bytes[at + 192 + (i >> 4)]! << 24) >> 24;
    out[to + i] = d * scale * (((low & 15) | ((high & 3) << 4)) - 32);
  }
};

const BLOCKS: Readonly<Partial<Record<GgufDtype, Block>>> = { Q8_0: q8_0, Q4_0: q4_0, Q4_1: q4_1, Q4_K: q4_k, Q6_K: q6_k };

/** The values of a tensor's bytes as float32, bit for bit what the `gguf` Python package's `dequantize` gives. */
export function dequantize(dtype: GgufDtype, bytes: Uint8Array): Float32Array {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return toFloat32(dtype, bytes);
  const { blockValues, blockBytes } = blockOf(dtype);
  const block = BLOCKS[dtype]!;
  const blocks = bytes.length / blockBytes;
  const out = new Float32Array(blocks * blockValues);
  const half = halfReader(bytes);
  for (let index = 0; index < blocks; index++) block(bytes, half, index * blockBytes, out, index * blockValues);
  return out;
}

/** Reads the IEEE 754 half at a byte. */
function halfReader(bytes: Uint8Array): (at: number) => number {
  const table = float16Table();
  return (at) => table[bytes[at]! | (bytes[at + 1]! << 8)]!;
}
