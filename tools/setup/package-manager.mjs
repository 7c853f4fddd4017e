import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, toolLock } from './cache.mjs';
import { command } from './command.mjs';
import { withLock } from './lock.mjs';
import { say } from './progress.mjs';

export const PNPM_VERSION = '12.21.0';

const binary = (folder) => join(folder, 'node_modules', '.bin', process.platform === 'win32' ? 'pnpm.cmd' : 'pnpm');

/** The path of pnpm at its pinned version, in the tools cache; npm fetches it where it is missing. */
export const packageManager = async () => {
  const name = `pnpm-${PNPM_VERSION}`;
  const folder = join(cacheFolder(), name);
  if (existsSync(binary(folder))) return binary(folder);
  return withLock(toolLock(name), `the download of ${name}`, async () => {
    if (existsSync(binary(folder))) return binary(folder);
    say(`fetching ${name}`);
    // A folder without its own package.json would let npm walk up and install beside someone else's.
    const temporary = mkdtempSync(join(cacheFolder(), `${name}-`));
    try {
      writeFileSync(join(temporary, 'package.json'), '{"private":true}\n');
      const flags = ['--save-exact', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
      await command('npm', ['install', '--prefix', temporary, ...flags, `pnpm@${PNPM_VERSION}`], { cwd: temporary });
      rmSync(folder, { recursive: true, force: true });
      renameSync(temporary, folder);
    } catch (error) {
      throw new Error(`pnpm ${PNPM_VERSION} could not be fetched with npm: ${error.message}`);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    const version = (await command(binary(folder), ['--version'])).trim();
    if (version !== PNPM_VERSION) throw new Error(`${binary(folder)} answers version ${version}, not ${PNPM_VERSION}`);
    return binary(folder);
  });
};
