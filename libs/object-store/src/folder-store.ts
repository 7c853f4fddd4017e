import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { serveObject } from './folder-handler.js';
import { checkKey, checkPrefix } from './keys.js';
import { ObjectMissing, type ObjectStore, type StoredObject } from './object-store.js';
import { ObjectUrls } from './signatures.js';
import { Source } from './source.js';

const TEMPORARY_MS = 3_600_000; // a temporary file not written to for an hour belongs to a dead process
const hasCode = (error: unknown, ...codes: string[]): boolean => codes.includes((error as NodeJS.ErrnoException).code ?? '');

export interface FolderOptions {
  folder: string;
  /** Address at which this process serves `handle`; a function where the port is known only later. */
  url: string | (() => string);
  signingKey: string;
}

/** One file an object below `folder`, temporary files in `folder/.tmp`; several processes may share the folder. */
export function openFolderStore({ folder, url, signingKey }: FolderOptions): ObjectStore {
  const root = resolve(folder);
  const temporary = join(root, '.tmp');
  const urls = new ObjectUrls(signingKey);
  const pathOf = (key: string): string => join(root, ...checkKey(key).split('/'));

  const store: ObjectStore = {
    async put(key, source, { signal } = {}) {
      const target = pathOf(key);
      const input = new Source(source, signal);
      const draft = join(temporary, `${process.pid}-${randomBytes(9).toString('hex')}`);
      try {
        await mkdir(temporary, { recursive: true });
        const file = await open(draft, 'wx');
        try {
          for await (const chunk of input) await file.appendFile(chunk);
          signal?.throwIfAborted();
          await file.sync();
        } finally {
          await file.close();
        }
        await renameInto(draft, target);
        return input.digest();
      } finally {
        input.destroy();
        await rm(draft, { force: true });
      }
    },

    async get(key, { start, end, signal } = {}) {
      const file = await openObject(pathOf(key), key);
      const stream = file.createReadStream({ ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) });
      return signal ? addAbortSignal(signal, stream as Readable) : stream;
    },

    async head(key) {
      try {
        const found = await stat(pathOf(key));
        return found.isFile() ? { bytes: found.size } : null;
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
        throw error;
      }
    },

    list: (prefix) => walk(join(root, prefix === '' ? '' : checkPrefix(prefix)), prefix),

    async delete(key) {
      const path = pathOf(key);
      try {
        await unlink(path);
      } catch (error) {
        if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EPERM')) throw error;
        return;
      }
      await pruneParents(dirname(path), root);
    },

    async deletePrefix(prefix) {
      const path = join(root, checkPrefix(prefix));
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
      await pruneParents(dirname(path), root);
    },

    sign: async (method, key, seconds) => urls.sign(typeof url === 'string' ? url : url(), method, key, seconds),

    async ready() {
      try {
        await mkdir(temporary, { recursive: true });
        return true;
      } catch {
        return false;
      }
    },

    async sweep() {
      let swept = 0;
      for (const name of await namesIn(temporary)) {
        const path = join(temporary, name.name);
        const modified = await stat(path).catch(() => null);
        if (!modified || Date.now() - modified.mtimeMs < TEMPORARY_MS) continue;
        await rm(path, { force: true });
        swept += 1;
      }
      return swept;
    },

    handle: (request, response) => serveObject(store, urls.verify(request.method, request.url), request, response),
  };
  return store;
}

async function openObject(path: string, key: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
  throw new ObjectMissing(key);
}

/** The parent may be pruned by a delete between `mkdir` and `rename`: both are tried again. */
async function renameInto(draft: string, target: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await mkdir(dirname(target), { recursive: true });
    try {
      await rename(draft, target);
      break;
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || attempt === 5) throw error;
    }
  }
  const folder = await open(dirname(target), 'r').catch(() => null);
  if (!folder) return; // pruned already by a delete of this very object
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function pruneParents(folder: string, root: string): Promise<void> {
  for (let path = folder; path.length > root.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) continue;
      return; // not empty
    }
  }
}

async function namesIn(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

const sortName = (entry: Dirent): string => (entry.isDirectory() ? `${entry.name}/` : entry.name);

async function* walk(folder: string, prefix: string): AsyncGenerator<StoredObject> {
  const entries = (await namesIn(folder)).filter((entry) => !entry.name.startsWith('.'));
  entries.sort((a, b) => (sortName(a) < sortName(b) ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path, `${prefix}${entry.name}/`);
    else {
      const found = await stat(path).catch(() => null); // deleted since
      if (found) yield { key: prefix + entry.name, bytes: found.size, modified: found.mtime };
    }
  }
}
