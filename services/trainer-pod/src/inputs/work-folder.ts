import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../supervision/pid-file.js';

const PREFIX = 'tunefleet-trainer-pod-';

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
