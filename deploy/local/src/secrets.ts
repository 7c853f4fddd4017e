import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes a file that only its owner can read, whole or not at all. */
export const writeSecret = (path: string, text: string): void => {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

/** What the file holds; where there is none it is made first. */
export const once = (path: string, make: () => string): string => {
  if (!existsSync(path)) writeSecret(path, make());
  return readFileSync(path, 'utf8');
};

export interface Secrets {
  readonly identityKeyFile: string;
  /** NATS password of each user. */
  readonly passwords: ReadonlyMap<string, string>;
  /** File that holds `user:password` of a user. */
  readonly credentialsFile: (user: string) => string;
}

/** Makes what is missing, once: the identity key (256 bits) and a NATS password a user (192 bits). */
export const readSecrets = (folder: string, users: readonly string[]): Secrets => {
  const file = (name: string): string => join(folder, name);
  const identityKeyFile = file('identity-key');
  once(identityKeyFile, () => randomBytes(32).toString('hex'));
  const passwords = new Map<string, string>();
  for (const user of users) {
    const text = once(file(`nats-${user}`), () => `${user}:${randomBytes(24).toString('base64url')}`);
    passwords.set(user, text.slice(user.length + 1));
  }
  return { identityKeyFile, passwords, credentialsFile: (user) => file(`nats-${user}`) };
};
