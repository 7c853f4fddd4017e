import { join } from 'node:path';
import { root } from './cache.mjs';
import { command } from './command.mjs';
import { say } from './progress.mjs';

/** `tsc -b`: incremental by itself, a fraction of a second when no source changed. */
export const build = async () => {
  const started = performance.now();
  await command(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'], { cwd: root });
  const seconds = (performance.now() - started) / 1000;
  if (seconds > 2) say(`built in ${seconds.toFixed(1)} s`);
};
