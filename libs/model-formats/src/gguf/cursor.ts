import { ModelFormatError } from '../errors.js';

/** The header goes on behind the bytes that were read so far: more of them are needed, and there are more in the file. */
export class NeedMoreBytes extends Error {}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads little-endian values from the first bytes of a file. What a length or a count claims is held against the whole file (`fileBytes`)
 * before anything is allocated for it. Errors: `truncated`, `invalid_metadata`; {@link NeedMoreBytes}.
 */
export class Cursor {
  at = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly fileBytes: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint8 = (): number => this.view.getUint8(this.take(1));
  int8 = (): number => this.view.getInt8(this.take(1));
  uint16 = (): number => this.view.getUint16(this.take(2), true);
  int16 = (): number => this.view.getInt16(this.take(2), true);
  uint32 = (): number => this.view.getUint32(this.take(4), true);
  int32 = (): number => this.view.getInt32(this.take(4), true);
  float32 = (): number => this.view.getFloat32(this.take(4), true);
  float64 = (): number => this.view.getFloat64(this.take(8), true);
  uint64 = (): number | bigint => exact(this.view.getBigUint64(this.take(8), true));
  int64 = (): number | bigint => exact(this.view.getBigInt64(this.take(8), true));

  /** A count of things that take `eachBytes` at least; `what` is named when the rest of the file cannot hold so many. */
  count(eachBytes: number, what: string): number {
    const claimed = this.uint64();
    const room = this.fileBytes - this.at;
    if (typeof claimed === 'bigint' || claimed * eachBytes > room) {
      throw new ModelFormatError('truncated', `${what}: the file claims ${claimed}, but only ${room} bytes follow`);
    }
    return claimed;
  }

  /** A length and so many bytes of UTF-8. */
  text(what: string, maxBytes: number): string {
    const length = this.count(1, `${what}, its length in bytes`);
    if (length > maxBytes) throw new ModelFormatError('invalid_metadata', `${what} has ${length} bytes; ${maxBytes} are allowed`);
    const start = this.take(length);
    try {
      return UTF8.decode(this.bytes.subarray(start, start + length));
    } catch (cause) {
      throw new ModelFormatError('invalid_metadata', `${what} is not UTF-8`, { cause });
    }
  }

  private take(length: number): number {
    const start = this.at;
    if (start + length > this.bytes.length) {
      if (this.bytes.length < this.fileBytes) throw new NeedMoreBytes();
      throw new ModelFormatError('truncated', `the file ends within its header, at byte ${this.fileBytes}`);
    }
    this.at += length;
    return start;
  }
}

/** As a number where a double holds it. */
function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
