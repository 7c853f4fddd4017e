import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, stateFolder } from './cache.mjs';
import { command } from './command.mjs';
import { PNPM_VERSION, packageManager } from './package-manager.mjs';
import { say } from './progress.mjs';

/** The folders named under `packages:` in pnpm-workspace.yaml, `x/*` opened; those without a package.json left out. */
export const workspaceFolders = () => {
  const lines = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').split('\n');
  const first = lines.findIndex((line) => line.startsWith('packages:')) + 1;
  const patterns = [];
  for (const line of lines.slice(first)) {
    const item = /^\s+- ["']?([^"'\s]+)["']?\s*$/.exec(line);
    if (!item) break;
    patterns.push(item[1]);
  }
  const folders = patterns.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return [pattern];
    const parent = pattern.slice(0, -2);
    if (!existsSync(join(root, parent))) return [];
    return readdirSync(join(root, parent)).map((name) => `${parent}/${name}`);
  });
  return folders.filter((folder) => existsSync(join(root, folder, 'package.json'))).sort();
};

const stamp = () => {
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...workspaceFolders().map((folder) => `${folder}/package.json`)];
  const hash = createHash('sha256').update(`${PNPM_VERSION} ${process.platform} ${process.arch} ${process.versions.modules}`);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
};

/** The locked install; nothing when lock file and every package.json are those of the last one. */
export const install = async () => {
  const wanted = stamp();
  const installed = existsSync(join(root, 'node_modules', '.modules.yaml'));
  const stampFile = join(stateFolder(), 'install-stamp');
  if (installed && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return;
  const pnpm = await packageManager();
  say('installing from the lock file');
  // CI: pnpm then never asks; it must not wait for an answer that nobody gives.
  await command(pnpm, ['install', '--frozen-lockfile', '--prefer-offline'], { cwd: root, env: { CI: 'true' } });
  writeFileSync(join(stateFolder(), 'install-stamp'), wanted);
};
