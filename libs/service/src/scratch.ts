import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** This process's own empty folder below TMPDIR. What processes of the service left that are dead is removed. */
export async function openScratch(service: string): Promise<string> {
  const parent = join(tmpdir(), `tunefleet-${service}`);
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    if (!isAlive(Number(name))) await rm(join(parent, name), { recursive: true, force: true });
  }
  const scratch = join(parent, String(process.pid));
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch);
  return scratch;
}
