import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GraphFace } from './graph-face.js';

/** Where compiled graphs are kept from one process to the next. */
export interface CompiledCache {
  /** Several processes may share it. It is made where it is not there. */
  readonly folder: string;
  /** What the frozen weights are: a hash of the files that they come from. The graph itself only says where they lie. */
  readonly weights: string;
  /** Bytes kept; what was unused for longest goes first. */
  readonly bytes: number;
}

/** What is known of a kept graph besides the session's files. */
export interface KeptNotes<Notes = unknown> {
  readonly face: GraphFace;
  /** what the graph's maker wants to have again with it: plain data */
  readonly notes: Notes;
}

/** A kept graph. */
export interface Entry extends KeptNotes {
  /** the optimized graph, its packed weights beside it */
  readonly model: string;
  readonly folder: string;
}

const MODEL = 'model.onnx';
const NOTES = 'notes.json';
/** Name of the file of weights, beside the model. */
export const WEIGHTS = 'weights.bin';
/** What the process of that number is writing. */
const PARTIAL = /\.(\d+)\.partial(-\w+)?$/;

/** This start of the machine: files of an earlier one may be torn, since they are not synced. Null where the system does not say. */
export const bootId = (): string | null => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
};

/** The kept graph of that key, marked as used now; null where there is none. What cannot be read makes room for another. */
export const findKept = async ({ folder }: CompiledCache, key: string): Promise<Entry | null> => {
  const home = join(folder, key);
  try {
    const kept = JSON.parse(await readFile(join(home, NOTES), 'utf8')) as KeptNotes;
    const now = new Date();
    await utimes(home, now, now).catch(() => undefined);
    return { ...kept, model: join(home, MODEL), folder: home };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') await drop(home);
    return null;
  }
};

/** Removes an entry that nothing can be made of, so that it is kept anew. */
export const drop = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true }).catch(() => undefined);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

interface KeptFolder {
  readonly path: string;
  /** milliseconds, as `Date.now` gives them */
  readonly used: number;
  readonly bytes: number;
}

const keptFolder = async (path: string): Promise<KeptFolder> => {
  const sizes = (await readdir(path)).map(async (name) => (await stat(join(path, name))).size);
  return { path, used: (await stat(path)).mtimeMs, bytes: (await Promise.all(sizes)).reduce((a, b) => a + b, 0) };
};

/**
 * Removes what killed processes left half written, and the entries unused for longest until the rest fits. Sessions that map an entry keep
 * it.
 */
const prune = async ({ folder, bytes }: CompiledCache): Promise<void> => {
  const entries: KeptFolder[] = [];
  // What else lies there is nobody's entry.
  const folders = (await readdir(folder, { withFileTypes: true })).filter((one) => one.isDirectory());
  for (const { name } of folders) {
    const path = join(folder, name);
    const writer = PARTIAL.exec(name);
    if (writer && !isAlive(Number(writer[1]))) await rm(path, { recursive: true, force: true });
    if (writer) continue;
    // Another process may have removed it since.
    const entry = await keptFolder(path).catch(() => null);
    if (entry) entries.push(entry);
  }
  let held = 0;
  for (const entry of entries.sort((a, b) => b.used - a.used)) {
    held += entry.bytes;
    if (held > bytes) await rm(entry.path, { recursive: true, force: true });
  }
};

/** The weights, and a packed copy of each for the forward and for the backward pass. */
const COPIES = 3;

/**
 * Whether a graph over so many bytes of weights fits the bound, and takes no more than half of what is free on the disk: snapshots and
 * results need it more.
 */
export const hasRoom = async ({ folder, bytes }: CompiledCache, weights: number): Promise<boolean> => {
  const needed = COPIES * weights;
  if (needed > bytes) return false;
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    return 2 * needed < bavail * bsize;
  } catch {
    return false;
  }
};

/**
 * Keeps a graph: `write` is told the path for the model, beside which its weights go. Nothing of it is seen under the key before it is
 * whole. Throws what `write` throws, or that the folder cannot be written.
 */
export const keep = async <T>(cache: CompiledCache, key: string, kept: KeptNotes, write: (model: string) => Promise<T>): Promise<T> => {
  const entry = join(cache.folder, key);
  await mkdir(cache.folder, { recursive: true });
  // A folder of its own: this process may be keeping the same graph twice.
  const partial = await mkdtemp(`${entry}.${process.pid}.partial-`);
  try {
    await writeFile(join(partial, NOTES), JSON.stringify(kept));
    const result = await write(join(partial, MODEL));
    // Another may have been quicker: its entry is as good. From here on nothing may throw: the result would be lost, not released.
    await rename(partial, entry).catch(() => drop(partial));
    await prune(cache).catch(() => undefined);
    return result;
  } catch (error) {
    await drop(partial);
    throw error;
  }
};
