import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** Share of a machine's memory that a training process may have. */
const SHARE = 0.9;

/** Files that say what a container may use: cgroup 2, cgroup 1. */
const CGROUP = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];

/** Bytes that a training process may use: the smallest of what is declared, what its cgroup allows, and 0.9 of the machine's memory. */
export function memoryLimit(declared?: number): number {
  const allowed = CGROUP.map((path) => Number(read(path))).filter((bytes) => Number.isFinite(bytes) && bytes > 0);
  return Math.min(declared ?? Number.POSITIVE_INFINITY, SHARE * totalmem(), ...allowed);
}

/** `max` where there is no limit, which is no number. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'max';
  }
}
