import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { engineIdentity } from './engine-identity.js';
import type { EngineSession } from './engine-session.js';
import { createSession } from './session.js';
import type { SessionSettings } from './settings.js';

/** Where compiled graphs are kept from one process to the next. */
export interface CompiledCache {
  /** Several processes may share it. It is made where it is not there. */
  readonly folder: string;
  /** What the frozen weights are: a hash of the files that they come from. The graph itself only says where they lie. */
  readonly weights: string;
  /** Bytes kept; what was unused for longest goes first. */
  readonly bytes: number;
}

const MODEL = 'model.onnx';
const WEIGHTS = 'weights.bin';
const PARTIAL = /\.(\d+)\.partial$/;

/** This start of the machine: files of an earlier one may be torn, since they are not synced. Null where the system does not say. */
const bootId = (): string | null => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
};

/**
 * The graph in ONNX (so whatever a pass does counts), the weights, ONNX Runtime's build and the kind of processor that they were packed for. Threads
 * do not count: neither the optimized graph nor the packing depends on them.
 */
const keyOf = (model: Uint8Array, boot: string, cache: CompiledCache, { provider, prepacking }: SessionSettings): string => {
  const { engine, cpuKernelClass } = engineIdentity(1);
  const rest = JSON.stringify([boot, engine, cpuKernelClass, provider ?? 'cpu', prepacking ?? true, cache.weights]);
  return createHash('sha256').update(model).update(rest).digest('hex');
};

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const bytesIn = async (folder: string): Promise<number> => {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
};

/** Removes what killed processes left half written, and the entries unused for longest until the rest fits. Sessions that map an entry keep it. */
const prune = async ({ folder, bytes }: CompiledCache): Promise<void> => {
  const entries: { path: string; used: number; bytes: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const writer = PARTIAL.exec(name);
    if (writer && !isAlive(Number(writer[1]))) await rm(path, { recursive: true, force: true });
    if (writer) continue;
    entries.push({ path, used: (await stat(path)).mtimeMs, bytes: await bytesIn(path) });
  }
  let held = 0;
  for (const entry of entries.sort((a, b) => b.used - a.used)) {
    held += entry.bytes;
    if (held > bytes) await rm(entry.path, { recursive: true, force: true });
  }
};

/** The weights, and a packed copy of each for the forward and for the backward pass. */
const COPIES = 3;

/** Whether so many bytes fit the bound, and take no more than half of what is free on the disk: snapshots and results need it more. */
const hasRoom = async ({ folder, bytes }: CompiledCache, needed: number): Promise<boolean> => {
  if (needed > bytes) return false;
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    return 2 * needed < bavail * bsize;
  } catch {
    return false;
  }
};

/** Makes a session and keeps what it worked out. */
const keep = async (path: string, entry: string, settings: SessionSettings, cache: CompiledCache): Promise<EngineSession> => {
  const partial = `${entry}.${process.pid}.partial`;
  try {
    await mkdir(partial, { recursive: true });
    const session = await createSession(path, settings, { saveTo: { model: join(partial, MODEL), weights: WEIGHTS } });
    // Another process may have been quicker: its entry is as good.
    await rename(partial, entry).catch(() => rm(partial, { recursive: true, force: true }));
    await prune(cache).catch(() => undefined);
    return session;
  } catch {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    return createSession(path, settings);
  }
};

/**
 * A session of the model in a file with `weightBytes` of frozen weights: from the cache, or made of that file and then kept in the cache. The results are the same bytes. Where the cache
 * cannot be written, the session is made without it.
 */
export const cachedSession = async (
  path: string,
  weightBytes: number,
  settings: SessionSettings,
  cache: CompiledCache,
): Promise<EngineSession> => {
  const boot = bootId();
  if (boot === null || !(await hasRoom(cache, COPIES * weightBytes))) return createSession(path, settings);
  const entry = join(cache.folder, keyOf(await readFile(path), boot, cache, settings));
  const known = await stat(join(entry, MODEL)).catch(() => null);
  if (!known) return keep(path, entry, settings, cache);
  const now = new Date();
  await utimes(entry, now, now).catch(() => undefined);
  // Another process may have removed it since.
  return createSession(join(entry, MODEL), settings, { optimized: true }).catch(() => createSession(path, settings));
};
