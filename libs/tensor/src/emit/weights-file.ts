import { copyFileSync, linkSync, realpathSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

/** Weights start at multiples of a cache line. */
const ALIGNMENT = 64;

const padded = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

const writeAt = async (handle: FileHandle, data: Float32Array | Uint8Array, at: number): Promise<void> => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30), at + done)).bytesWritten;
  }
};

/** Writes tensors one after another, as they come, into a file that many compiled graphs can then map: a source for each name. */
export const writeWeightsFile = async <Data extends Float32Array | Uint8Array>(
  file: string,
  tensors: Iterable<readonly [name: string, data: Data]> | AsyncIterable<readonly [name: string, data: Data]>,
): Promise<Record<string, { file: string; offset: number }>> => {
  const handle = await open(file, 'w');
  try {
    const sources: Record<string, { file: string; offset: number }> = {};
    let offset = 0;
    for await (const [name, data] of tensors) {
      await writeAt(handle, data, offset);
      sources[name] = { file, offset };
      offset += padded(data.byteLength);
    }
    return sources;
  } finally {
    await handle.close();
  }
};

/**
 * Another name for a weight file, in another folder, that lives on without the first: a hard link; across file systems a copy. ONNX Runtime
 * maps external data only from the model's own folder.
 */
export const placeWeightsFile = (file: string, folder: string, name: string): void => {
  const target = join(folder, name);
  try {
    linkSync(realpathSync(file), target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EMLINK') throw error;
    copyFileSync(file, target);
  }
};
