import { ModelFormatError } from '../errors.js';
import type { Dtype } from './dtype.js';
import { toFloat32 } from './float.js';
import { headerLength, LENGTH_BYTES, parseHeader, type SafetensorsHeader, type TensorInfo } from './header.js';
import { fileSource, type RangeSource } from './source.js';

/** A named tensor whose bytes are in memory; `data` is little-endian, row-major. */
export interface Tensor {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  data: Uint8Array;
}

/** Tensors by name, read when asked for: one safetensors file, or the shards of a model. */
export interface TensorReader {
  /** In byte order. */
  readonly names: readonly string[];
  /** Errors: `missing_tensor`. */
  info(name: string): TensorInfo;
  /** The tensor's bytes in a buffer of their own. */
  bytes(name: string): Promise<Uint8Array>;
  /** The tensor's values as float32. Errors: `not_supported` for dtypes other than F32, F16, BF16. */
  float32(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** One safetensors file. The header is read and checked at once, tensors when they are asked for. */
export class SafetensorsFile implements TensorReader {
  readonly names: readonly string[];

  private constructor(
    private readonly source: RangeSource,
    private readonly header: SafetensorsHeader,
    private readonly file: string | undefined,
  ) {
    this.names = [...header.tensors.keys()].sort(compareBytes);
  }

  /** Errors: those of the header, each by its code. */
  static async from(source: RangeSource, file?: string): Promise<SafetensorsFile> {
    try {
      const start = new Uint8Array(Math.min(source.size, LENGTH_BYTES + 1));
      await source.read(0, start);
      const header = new Uint8Array(headerLength(start, source.size));
      await source.read(LENGTH_BYTES, header);
      return new SafetensorsFile(source, parseHeader(header, source.size), file);
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.header.metadata;
  }

  info(name: string): TensorInfo {
    const info = this.header.tensors.get(name);
    if (!info) throw new ModelFormatError('missing_tensor', `there is no tensor \`${name}\``);
    return this.file === undefined ? info : { ...info, file: this.file };
  }

  async bytes(name: string): Promise<Uint8Array> {
    const { begin, end } = this.info(name);
    const bytes = new Uint8Array(end - begin);
    await this.source.read(begin, bytes);
    return bytes;
  }

  async float32(name: string): Promise<Float32Array> {
    return toFloat32(this.info(name).dtype, await this.bytes(name));
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return SafetensorsFile.from(await fileSource(path), path);
}

/** Byte order of the names' UTF-8, which for code points is not JavaScript's order of UTF-16 units. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
