import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const TAIL = 4000; // characters of a failed command's output that are worth showing

/**
 * Runs a command to its end. Resolves with its stdout; rejects with the reason (its last output included).
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: Record<string, string | undefined>, seconds?: number}} [options]
 * @returns {Promise<string>}
 */
export const command = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32', // npm and pnpm are .cmd files there
    });
    // Not spawn's own `timeout`: that timer outlives a program that could not be started.
    const timer = setTimeout(() => child.kill(), (options.seconds ?? 600) * 1000);
    let out = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      all = (all + chunk).slice(-TAIL);
    });
    child.stderr.on('data', (chunk) => {
      all = (all + chunk).slice(-TAIL);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error.code === 'ENOENT' ? new Error(`${command} is not installed`) : error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args[0] ?? ''} ended with ${signal ?? code}: ${all.trim() || 'no output'}`));
    });
  });

/** The full path of a program on PATH, or undefined. */
export const onPath = (name) => {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (!folder) continue;
    const path = join(folder, file);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not here
    }
  }
  return undefined;
};
