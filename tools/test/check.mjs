import { spawn } from 'node:child_process';
import { root } from '../setup/cache.mjs';

/**
 * Runs a command that either passes or fails; all its output goes to stderr.
 * @param {string[]} argv
 * @param {{countPass?: boolean}} [options] whether success counts as a check of its own
 */
export const runCheck = ([program, ...args], { countPass = true } = {}) =>
  new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', process.stderr, process.stderr] });
    const end = (failure) =>
      resolve({ passed: !failure && countPass ? 1 : 0, failed: failure ? 1 : 0, failures: failure ? [failure] : [], skips: [] });
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(code === 0 ? undefined : `${program.split('/').at(-1)} ended with ${signal ?? code}`));
  });
