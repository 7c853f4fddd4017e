import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RpcReply } from '@tunefleet/contracts';
import { upload } from '@tunefleet/object-store';
import { type DescribedFile, describeFolder } from './described.js';

type Sign = (put: string[]) => Promise<RpcReply<'trainer.sign'>>;

/** Puts whole folders below an attempt's prefix, by URLs that the trainer signs. */
export interface Uploader {
  /** Uploads every file of `folder` to `<under>/<path>`; a `manifest.json` at its top goes last. */
  folder(folder: string, under: string, signal: AbortSignal): Promise<DescribedFile[]>;
  /** Uploads one JSON document, byte for byte `JSON.stringify(value)`. */
  json(value: unknown, path: string, signal: AbortSignal): Promise<void>;
}

export function uploader(sign: Sign, scratch: string): Uploader {
  async function put(file: string, path: string, signal: AbortSignal): Promise<void> {
    const { urls } = await sign([path]);
    const url = urls[path];
    if (url === undefined) throw new Error(`The trainer signed no URL for ${path}`);
    await upload(url, file, { signal });
  }
  return {
    async folder(folder, under, signal) {
      const files = await describeFolder(folder);
      for (const file of files) await put(join(folder, file.path), `${under}/${file.path}`, signal);
      return files;
    },
    async json(value, path, signal) {
      const file = join(scratch, `${path.replaceAll('/', '_')}.upload`);
      await writeFile(file, JSON.stringify(value));
      await put(file, path, signal);
    },
  };
}
