import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'tunefleet-trainer-pod-';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** An empty folder of this pod below TMPDIR. Those of pods that are gone (killed, so that they could not tidy up) are removed. */
export async function openWorkFolder(): Promise<string> {
  const parent = tmpdir();
  for (const name of await readdir(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const pid = Number(name.slice(PREFIX.length));
    if (pid === process.pid || !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `${PREFIX}${process.pid}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

export const removeWorkFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });
