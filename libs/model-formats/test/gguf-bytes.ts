/** Parts of a GGUF file, so that a test can write one that is wrong in one place. All little-endian. */
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
export const text = (value: string | Uint8Array): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

export const U32 = 4;
export const STRING = 8;
export const ARRAY = 9;
export const pair = (key: string, type: number, value: Uint8Array): Buffer => Buffer.concat([text(key), u32(type), value]);

/** A tensor's entry; `dimensions` as in the file, the contiguous one first; type 0 is F32. */
export const entry = (name: string, dimensions: readonly (number | bigint)[], type: number, offset: number | bigint): Buffer =>
  Buffer.concat([text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset)]);

export interface Parts {
  start?: Buffer;
  pairs?: Buffer[];
  entries?: Buffer[];
  tensorCount?: number | bigint;
  pairCount?: number | bigint;
  /** Bytes after the header, which is filled up to `alignment` first. */
  data?: number;
  alignment?: number;
}

export function ggufBytes({ start, pairs = [], entries = [], tensorCount, pairCount, data = 0, alignment = 32 }: Parts): Buffer {
  const header = Buffer.concat([
    start ?? Buffer.concat([Buffer.from('GGUF'), u32(3)]),
    u64(tensorCount ?? entries.length),
    u64(pairCount ?? pairs.length),
    ...pairs,
    ...entries,
  ]);
  return Buffer.concat([header, Buffer.alloc((alignment - (header.length % alignment)) % alignment), Buffer.alloc(data)]);
}
