import { link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { ObjectLink } from '@tunefleet/contracts';
import { download } from '@tunefleet/object-store';

/** Downloads by sha256 in one folder; a job folder holds hard links to them. */
export interface Cache {
  /** Puts every file at `folder/<its path>`, downloading what is not here. Objects are checked against their sha256. */
  place(files: ObjectLink[], folder: string, signal: AbortSignal): Promise<void>;
  /** Removes the files unused for longest until the rest fits. */
  trim(bytes: number): Promise<void>;
}

/** Downloads of one job at once. */
const AT_ONCE = 4;

export function openCache(root: string): Cache {
  const running = new Map<string, Promise<string>>();

  async function fetched(object: ObjectLink, signal: AbortSignal): Promise<string> {
    const file = join(root, object.sha256);
    const known = await stat(file).catch(() => null);
    if (known?.size === object.bytes) {
      const now = new Date();
      await utimes(file, now, now);
      return file;
    }
    await mkdir(root, { recursive: true });
    const part = `${file}.part`;
    await download(object, part, { signal });
    await rename(part, file);
    return file;
  }

  function once(object: ObjectLink, signal: AbortSignal): Promise<string> {
    const before = running.get(object.sha256);
    if (before) return before;
    const started = fetched(object, signal).finally(() => running.delete(object.sha256));
    running.set(object.sha256, started);
    return started;
  }

  async function placeOne(object: ObjectLink, folder: string, signal: AbortSignal): Promise<void> {
    const target = resolve(folder, object.path);
    if (!target.startsWith(resolve(folder) + sep)) throw new Error(`An input may not lie outside its folder: ${object.path}`);
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { force: true });
    await link(await once(object, signal), target);
  }

  return {
    async place(files, folder, signal) {
      await mkdir(folder, { recursive: true });
      for (let i = 0; i < files.length; i += AT_ONCE)
        await Promise.all(files.slice(i, i + AT_ONCE).map((file) => placeOne(file, folder, signal)));
    },
    async trim(bytes) {
      const names = await readdir(root).catch(() => [] as string[]);
      const files = await Promise.all(names.map(async (name) => ({ name, ...(await stat(join(root, name))) })));
      files.sort((a, b) => b.mtimeMs - a.mtimeMs);
      let held = 0;
      for (const { name, size } of files) {
        held += size;
        if (held > bytes) await rm(join(root, name), { force: true });
      }
    },
  };
}
