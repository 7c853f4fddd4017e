// A Llama as GGUF, version 3 (ggml's docs/gguf.md): what llama.cpp needs to compute on the very weights that we compute on. No vocabulary: ids go in and out.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { ggufName, type LlamaConfig, llamaTensorShapes, openLlamaFolder } from '@tunefleet/model-formats';
import { llamaLinears } from '@tunefleet/models';
import { INT4_BLOCK, INT4_BLOCK_BYTES, type Int4Matrix, quantizeInt4 } from '@tunefleet/tensor';

const ALIGNMENT = 32;
const F32 = 0;
const Q4_0 = 2;
const BF16 = 30;
/** general.file_type of files that are mostly Q4_0, or BF16, or all F32 */
const FILE_TYPE = { int4: 2, bfloat16: 32, float32: 0 };
export type GgufWeights = keyof typeof FILE_TYPE;

/** Row of ours at each row of llama.cpp's: it turns neighbouring elements of a head, Hugging Face's layout element i with i + half. */
function rowsOf(name: string, rows: number, { headSize }: LlamaConfig): number[] {
  const turned = /\.(q|k)_proj\./.test(name);
  return Array.from({ length: rows }, (_, row) => {
    if (!turned) return row;
    const within = row % headSize;
    return row - within + (within % 2) * (headSize / 2) + Math.floor(within / 2);
  });
}

/** Q4_0: a half-precision scale, then the codes of elements 0..15 below and of 16..31 above. */
function q40({ codes, scales }: Int4Matrix, rows: readonly number[]): Uint8Array {
  const blocks = scales.length / rows.length;
  const bytes = new Uint8Array(scales.length * (2 + INT4_BLOCK_BYTES));
  const view = new DataView(bytes.buffer);
  const codeAt = (block: number, at: number): number => (codes[block * INT4_BLOCK_BYTES + (at >> 1)]! >> (4 * (at & 1))) & 0xf;
  rows.forEach((row, place) => {
    for (let column = 0; column < blocks; column++) {
      const from = row * blocks + column;
      const to = (place * blocks + column) * (2 + INT4_BLOCK_BYTES);
      view.setUint16(to, halfBits(scales[from]!), true);
      for (let at = 0; at < INT4_BLOCK / 2; at++) bytes[to + 2 + at] = codeAt(from, at) | (codeAt(from, at + INT4_BLOCK / 2) << 4);
    }
  });
  return bytes;
}

/** The bits of a number that half precision holds exactly. */
function halfBits(number: number): number {
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
  const size = Math.abs(number);
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * 1024);
}

function permuted(data: Float32Array, rows: readonly number[]): Uint8Array {
  const width = data.length / rows.length;
  const result = new Float32Array(data.length);
  rows.forEach((row, place) => {
    result.set(data.subarray(row * width, (row + 1) * width), place * width);
  });
  return new Uint8Array(result.buffer);
}

/** The upper halves of float32 numbers whose lower halves are zero. */
const halves = (bytes: Uint8Array): Uint8Array => {
  const numbers = Uint16Array.from(new Uint32Array(bytes.buffer), (bits) => bits >>> 16);
  return new Uint8Array(numbers.buffer);
};

/** Little-endian values of GGUF's header. */
class Header {
  readonly #parts: Buffer[] = [];

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.#push(bytes);
  }

  u64(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return this.#push(bytes);
  }

  f32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.#push(bytes);
  }

  text(value: string): this {
    const bytes = Buffer.from(value);
    return this.u64(bytes.length).#push(bytes);
  }

  /** A key of type uint32 (4), float32 (6) or string (8). */
  entry(key: string, value: number | string, type: 4 | 6 | 8): this {
    this.text(key).u32(type);
    return typeof value === 'string' ? this.text(value) : type === 6 ? this.f32(value) : this.u32(value);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #push(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}

const padded = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/** Writes the Hugging Face folder as one GGUF file; `int4`: its linear modules as Q4_0, by our codes; `bfloat16`: its matrices as BF16. */
export async function writeGguf(folder: string, file: string, precision: GgufWeights): Promise<void> {
  const { config, weights } = await openLlamaFolder(folder);
  const partial = llamaLinears(config).find(({ inputs }) => inputs % INT4_BLOCK !== 0);
  if (precision === 'int4' && partial) throw new Error(`GGUF holds whole blocks only: ${partial.name} reads ${partial.inputs} numbers`);
  const quantized = new Set(precision === 'int4' ? llamaLinears(config).map(({ name }) => `${name}.weight`) : []);
  const shapes = [...llamaTensorShapes(config)];
  const halved = (shape: readonly number[]): boolean => precision === 'bfloat16' && shape.length === 2;
  const bytesOf = (name: string, shape: readonly number[]): number => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (halved(shape)) return 2 * count;
    return quantized.has(name) ? (count / INT4_BLOCK) * (2 + INT4_BLOCK_BYTES) : 4 * count;
  };
  const entries: [string, number | string, 4 | 6 | 8][] = [
    ['general.architecture', 'llama', 8],
    ['general.file_type', FILE_TYPE[precision], 4],
    ['llama.vocab_size', config.vocabularySize, 4],
    ['llama.context_length', config.maxPositions, 4],
    ['llama.embedding_length', config.hiddenSize, 4],
    ['llama.block_count', config.layers, 4],
    ['llama.feed_forward_length', config.intermediateSize, 4],
    ['llama.rope.dimension_count', config.headSize, 4],
    ['llama.rope.freq_base', config.ropeTheta, 6],
    ['llama.attention.head_count', config.heads, 4],
    ['llama.attention.head_count_kv', config.keyValueHeads, 4],
    ['llama.attention.layer_norm_rms_epsilon', config.normEpsilon, 6],
    ['tokenizer.ggml.model', 'no_vocab', 8],
  ];
  const header = new Header().u32(0x46554747).u32(3).u64(shapes.length).u64(entries.length);
  for (const [key, value, type] of entries) header.entry(key, value, type);
  let offset = 0;
  for (const [name, shape] of shapes) {
    header.text(ggufName(name)).u32(shape.length);
    for (const size of shape.toReversed()) header.u64(size);
    header.u32(quantized.has(name) ? Q4_0 : halved(shape) ? BF16 : F32).u64(offset);
    offset += padded(bytesOf(name, shape));
  }
  const output = openSync(file, 'w');
  try {
    let at = padded(writeSync(output, header.bytes(), 0, undefined, 0));
    for (const [name, shape] of shapes) {
      const data = await weights.float32(name);
      const rows = rowsOf(name, shape[0]!, config);
      const plain = (): Uint8Array => (halved(shape) ? halves(permuted(data, rows)) : permuted(data, rows));
      writeSync(output, quantized.has(name) ? q40(quantizeInt4(data, shape[0]!, shape[1]!), rows) : plain(), 0, undefined, at);
      at += padded(bytesOf(name, shape));
    }
    // The last tensor's padding belongs to the file.
    ftruncateSync(output, at);
  } finally {
    closeSync(output);
    await weights.close();
  }
}
