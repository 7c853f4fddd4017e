import { rename, rm, writeFile } from 'node:fs/promises';
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
