import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes `<folder>/<name>.pid` (to a temporary file, then renamed) and returns its removal. No folder: nothing to do. */
export async function writePidFile(folder: string | undefined, name: string, pid: number): Promise<() => Promise<void>> {
  if (!folder) return async () => undefined;
  const file = join(folder, `${name}.pid`);
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${pid}\n`);
  await rename(temporary, file);
  return () => rm(file, { force: true });
}

/** Whether a process of this pid runs (as anybody). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Files of training processes whose pod was killed and could not remove them. */
export async function removeStalePidFiles(folder: string | undefined): Promise<void> {
  if (!folder) return;
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    if (!/^training-.*\.pid$/.test(name)) continue;
    const pid = Number(await readFile(join(folder, name), 'utf8').catch(() => ''));
    if (!(pid > 0 && isAlive(pid))) await rm(join(folder, name), { force: true });
  }
}
