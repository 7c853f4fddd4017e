import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the system says that this process has open. Linux alone tells it. */
export const canTell = process.platform === 'linux';

/** Threads: an engine session of n threads has n - 1 of its own. */
export const threadCount = (): number => readdirSync('/proc/self/task').length;

/** Bytes of address space: memory counts from its allocation on, touched or not. */
export const addressSpace = (): number => Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;

/** Paths of the open files in a folder. */
export const openFilesIn = (folder: string): string[] =>
  readdirSync('/proc/self/fd')
    .map((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`);
      } catch {
        // The listing's own.
        return '';
      }
    })
    .filter((path) => path.startsWith(folder));
