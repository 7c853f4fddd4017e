import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.mjs';

const PIPS = [
  ['pip3', []],
  ['pip', []],
  ['python3', ['-m', 'pip']],
  ['python', ['-m', 'pip']],
];

const download = async (folder, requirement, flags) => {
  const common = ['--no-deps', '--only-binary=:all:', '--dest', folder, '--disable-pip-version-check', ...flags];
  const failures = [];
  for (const [program, before] of PIPS) {
    try {
      await command(program, [...before, 'download', ...common, requirement], { seconds: 300 });
      return;
    } catch (error) {
      failures.push(error.message.split('\n').at(-1));
    }
  }
  throw new Error([...new Set(failures)].join('; '));
};

/**
 * The bytes of a wheel, a zip that needs no Python to open, through whichever pip works; an error unless they have the pinned sha256.
 * @param {string} folder an empty one, the caller's to remove
 * @param {{requirement: string, sha256: string, platform?: string}} wheel
 * @returns {Promise<Buffer>}
 */
export const pipDownload = async (folder, { requirement, sha256, platform }) => {
  await download(folder, requirement, platform ? ['--platform', platform] : []);
  const name = readdirSync(folder).find((file) => file.endsWith('.whl'));
  if (!name) throw new Error('pip left no wheel');
  const bytes = readFileSync(join(folder, name));
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new Error(`${name} has sha256 ${found}, not the pinned ${sha256}`);
  return bytes;
};
