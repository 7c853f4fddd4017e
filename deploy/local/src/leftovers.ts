import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Folders, repository } from './config.js';
import { readPids } from './pid-files.js';
import { everyPid, identify, type ProcessIdentity } from './process-identity.js';

/** Every process of the fleet carries this with its run folder, where a pod writes its pid files: by it a later launcher knows it as its own. */
export const RUN_VARIABLE = 'TUNEFLEET_RUN_DIR';

const PATIENCE_MS = 3000; // from SIGTERM to SIGKILL
const CLOCK_MS = 1500; // start times are known to about a second

const carriesMark = (process: ProcessIdentity, folders: Folders): boolean =>
  process.environment?.includes(`${RUN_VARIABLE}=${folders.run}`) ?? false;

/** A pid may have been given to somebody else since: then that process started after the file was written, or runs something else. */
const isOurs = (process: ProcessIdentity, writtenAt: number, folders: Folders): boolean => {
  if (process.startedAt > writtenAt + CLOCK_MS) return false;
  if (carriesMark(process, folders)) return true;
  if (process.environment && !process.command.includes('training-process')) return false;
  return process.command.includes(repository) || process.command.includes(folders.data);
};

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // ended meanwhile
  }
};

const end = async (pids: readonly number[]): Promise<void> => {
  for (const pid of pids) signal(pid, 'SIGTERM');
  const deadline = Date.now() + PATIENCE_MS;
  let alive = pids;
  for (;;) {
    alive = alive.filter((pid) => identify(pid) !== undefined);
    if (alive.length === 0) return;
    if (Date.now() > deadline) break;
    await sleep(25);
  }
  for (const pid of alive) signal(pid, 'SIGKILL');
  while (alive.some((pid) => identify(pid) !== undefined)) await sleep(25);
};

/**
 * Ends what a launcher that was killed with -9 left running on this data folder, nats-server last, and removes its pid files.
 * Call it while holding the folder's lock. Resolves with the pids ended.
 */
export const endLeftovers = async (folders: Folders): Promise<number[]> => {
  const found = new Map<number, boolean>(); // pid -> is it nats-server?
  const isNats = (process: ProcessIdentity): boolean => process.command.includes('nats.conf');
  const files = readPids(folders.run);
  for (const { pid, writtenAt } of files) {
    const identity = pid === process.pid ? undefined : identify(pid);
    if (identity && isOurs(identity, writtenAt, folders)) found.set(pid, isNats(identity));
  }
  // One that was started in the instant before the kill has no pid file yet, but carries the mark.
  for (const pid of everyPid()) {
    const identity = pid === process.pid ? undefined : identify(pid);
    if (identity && carriesMark(identity, folders)) found.set(pid, isNats(identity));
  }
  const pids = (nats: boolean): number[] => [...found].filter(([, is]) => is === nats).map(([pid]) => pid);
  await end(pids(false));
  await end(pids(true));
  for (const { name } of files) rmSync(join(folders.run, `${name}.pid`), { force: true });
  return [...found.keys()];
};
