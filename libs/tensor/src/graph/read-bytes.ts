import { closeSync, openSync, readSync } from 'node:fs';

/** One call reads less than 2 GiB. */
const MOST_BYTES = 2 ** 30;

/** Fills `bytes` from a file, from a byte offset on; throws where it ends before. */
export const readBytes = (path: string, offset: number, bytes: Uint8Array): void => {
  const file = openSync(path, 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(file, bytes, at, Math.min(bytes.length - at, MOST_BYTES), offset + at);
      if (read === 0) throw new Error(`${path} ends before byte ${offset + bytes.length}`);
      at += read;
    }
  } finally {
    closeSync(file);
  }
};
