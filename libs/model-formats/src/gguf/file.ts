import { ModelFormatError } from '../errors.js';
import { fileSource, type RangeSource } from '../safetensors/source.js';
import { NeedMoreBytes } from './cursor.js';
import { dequantize } from './dequantize.js';
import { type GgufHeader, type GgufTensorInfo, parseGgufHeader } from './header.js';
import type { GgufMetadata } from './metadata.js';

/** The vocabulary is in the header: 1 MiB holds a small one, a large one with its merges takes about 20 MB. */
const FIRST_READ_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 256 * 1024 * 1024;

/** One GGUF file, version 3. The header is read and checked at once, tensors when they are asked for. */
export class GgufFile {
  private constructor(
    private readonly source: RangeSource,
    private readonly header: GgufHeader,
  ) {}

  /** Errors: those of the header, each by its code. */
  static async from(source: RangeSource): Promise<GgufFile> {
    try {
      return new GgufFile(source, await readHeader(source));
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  get metadata(): GgufMetadata {
    return this.header.metadata;
  }

  /** In the order of their bytes. */
  get names(): readonly string[] {
    return [...this.header.tensors.keys()];
  }

  /** Errors: `missing_tensor`. */
  info(name: string): GgufTensorInfo {
    const info = this.header.tensors.get(name);
    if (!info) throw new ModelFormatError('missing_tensor', `there is no tensor \`${name}\``);
    return info;
  }

  /** The tensor's values, row-major. */
  async float32(name: string): Promise<Float32Array> {
    const { dtype, begin, end } = this.info(name);
    const bytes = new Uint8Array(end - begin);
    await this.source.read(begin, bytes);
    return dequantize(dtype, bytes);
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

export async function openGguf(path: string): Promise<GgufFile> {
  return GgufFile.from(await fileSource(path));
}

/** The header does not say how long it is: it is parsed from ever more bytes until they suffice. */
async function readHeader(source: RangeSource): Promise<GgufHeader> {
  for (let length = FIRST_READ_BYTES; ; length *= 2) {
    const bytes = new Uint8Array(Math.min(length, source.size));
    await source.read(0, bytes);
    try {
      return parseGgufHeader(bytes, source.size);
    } catch (error) {
      if (!(error instanceof NeedMoreBytes)) throw error;
      if (length >= MAX_HEADER_BYTES) {
        throw new ModelFormatError('header_too_large', `the header takes more than ${MAX_HEADER_BYTES} bytes`);
      }
    }
  }
}
