import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where tools that every clone on this machine shares are kept. */
export const cacheFolder = () => {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tunefleet');
  mkdirSync(folder, { recursive: true });
  return folder;
};

const locks = () => {
  const folder = join(cacheFolder(), 'locks');
  mkdirSync(folder, { recursive: true });
  return folder;
};

/** One lock for each checkout, and one for each tool that clones share. */
export const checkoutLock = () => join(locks(), `checkout-${createHash('sha256').update(root).digest('hex').slice(0, 16)}.lock`);
export const toolLock = (name) => join(locks(), `${name}.lock`);

/** What set-up knows of this checkout: it goes when node_modules goes. */
export const stateFolder = () => {
  const folder = join(root, 'node_modules', '.cache', 'tunefleet');
  mkdirSync(folder, { recursive: true });
  return folder;
};

const toolsFile = () => join(stateFolder(), 'tools.json');

/** Leaves the tools' paths for the launcher and the tests; keeps what an earlier set-up found and this one did not look for. */
export const writeTools = (found) => {
  const text = `${JSON.stringify({ ...readTools(), ...found }, null, 2)}\n`;
  const temporary = `${toolsFile()}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, toolsFile());
};

/** @returns {{natsServer?: string, s3?: {kind: string, path?: string, reason?: string}, models?: Record<string, {path?: string, reason?: string}>}} */
export const readTools = () => {
  try {
    return JSON.parse(readFileSync(toolsFile(), 'utf8'));
  } catch {
    return {};
  }
};
