import { open } from 'node:fs/promises';

/** Bytes that are read by range: a file, a buffer, an object in a store. */
export interface RangeSource {
  /** Bytes in all. */
  readonly size: number;
  /** Fills `target` from `offset` on; rejects where the source ends before. */
  read(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** One read(2) returns at most 2^31 - 4096 bytes. */
const MAX_READ_BYTES = 256 * 1024 * 1024;

export async function fileSource(path: string): Promise<RangeSource> {
  const handle = await open(path, 'r');
  const { size } = await handle.stat();
  return {
    size,
    async read(offset, target) {
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await handle.read(target, done, Math.min(target.length - done, MAX_READ_BYTES), offset + done);
        if (bytesRead === 0) throw new Error(`${path} ended at byte ${offset + done}: it was shortened while it was read`);
        done += bytesRead;
      }
    },
    close: () => handle.close(),
  };
}

export function bytesSource(bytes: Uint8Array): RangeSource {
  return {
    size: bytes.length,
    read(offset, target) {
      if (offset + target.length > bytes.length) return Promise.reject(new RangeError('read beyond the end'));
      target.set(bytes.subarray(offset, offset + target.length));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
