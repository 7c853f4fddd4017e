import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ENDING = '.pid';

export interface PidFile {
  readonly name: string;
  readonly pid: number;
  /** When it was written, ms since 1970. */
  readonly writtenAt: number;
}

/** Writes `<name>.pid`, whole or not at all. */
export const writePid = (folder: string, name: string, pid: number): void => {
  const temporary = join(folder, `.${name}.${process.pid}`);
  writeFileSync(temporary, `${pid}\n`);
  renameSync(temporary, join(folder, name + ENDING));
};

const read = (folder: string, file: string): PidFile | undefined => {
  try {
    const path = join(folder, file);
    const pid = Number(readFileSync(path, 'utf8').trim());
    return { name: file.slice(0, -ENDING.length), pid, writtenAt: statSync(path).mtimeMs };
  } catch {
    return undefined; // removed meanwhile
  }
};

/** Every pid file in the folder. */
export const readPids = (folder: string): PidFile[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => read(folder, file))
    .filter((file) => file !== undefined);

/** Removes `<name>.pid` if it still speaks of that process. */
export const removePid = (folder: string, name: string, pid: number): void => {
  if (read(folder, name + ENDING)?.pid === pid) rmSync(join(folder, name + ENDING), { force: true });
};
