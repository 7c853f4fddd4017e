import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Folders } from './config.js';
import { writeSecret } from './secrets.js';

export interface AdminKey {
  /** The file the gateway reads it from. */
  readonly file: string;
  /** What the ready line says of it. */
  readonly shown: string;
  /** To be called once the ready line is out: from then on the key is not printed again. */
  readonly wasShown: () => void;
}

/**
 * The admin key of project `default`: the one given replaces the one before; else the one there is; else a new one (256 bits).
 * A key made by a start that failed before it could print it is printed by the next one.
 */
export const adminKey = (folders: Folders, given: string | undefined): AdminKey => {
  const file = join(folders.secrets, 'api-key');
  const mark = join(folders.secrets, 'api-key-shown');
  const wasShown = (): void => writeFileSync(mark, '');
  if (given !== undefined) {
    writeSecret(file, given);
    return { file, shown: '(TUNEFLEET_API_KEY)', wasShown };
  }
  if (existsSync(file) && existsSync(mark)) return { file, shown: '(unchanged)', wasShown };
  if (!existsSync(file)) writeSecret(file, `sk-tunefleet-${randomBytes(32).toString('base64url')}`);
  return { file, shown: readFileSync(file, 'utf8'), wasShown };
};
