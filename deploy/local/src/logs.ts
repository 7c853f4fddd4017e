import { appendFileSync, copyFileSync, existsSync, openSync, readdirSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const LARGEST = 16 * 2 ** 20; // bytes of a log before it is turned over
const KEPT = 3; // older ones

/** The descriptor a process writes its log to: it is its own, so the log goes on whatever becomes of the launcher. */
export const openLog = (folder: string, name: string): number => openSync(join(folder, `${name}.log`), 'a', 0o600);

/** Turns over what has grown too large: copied and emptied, because its writer holds the file open. */
export const rotateLogs = (folder: string, largest = LARGEST): void => {
  for (const file of readdirSync(folder)) {
    const path = join(folder, file);
    if (!file.endsWith('.log') || statSync(path).size <= largest) continue;
    for (let age = KEPT - 1; age >= 1; age -= 1) if (existsSync(`${path}.${age}`)) renameSync(`${path}.${age}`, `${path}.${age + 1}`);
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  }
};

/** The last lines of a process's log, for an error message. */
export const logTail = (folder: string, name: string, lines = 20): string => {
  try {
    return readFileSync(join(folder, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-lines)
      .join('\n');
  } catch {
    return '';
  }
};

export type Note = (message: string, fields?: Record<string, unknown>) => void;

/** The launcher's own log, a JSON object a line like everybody's. */
export const launcherLog =
  (folder: string): Note =>
  (message, fields = {}) => {
    const line = JSON.stringify({ time: new Date().toISOString(), name: 'launcher', msg: message, ...fields });
    appendFileSync(join(folder, 'launcher.log'), `${line}\n`, { mode: 0o600 });
  };
