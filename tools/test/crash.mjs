import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

// What native code ends a process with.
const CRASHES = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE', 'SIGTRAP']);
const LINES = 400;

/**
 * A command under a shell that lets it leave a core file, where the system allows one.
 * @param {string[]} argv
 */
export const leavingCore = (argv) =>
  process.platform === 'linux' ? ['/bin/sh', '-c', 'ulimit -c unlimited 2>/dev/null; exec "$@"', 'sh', ...argv] : argv;

/** The core file of a process that ran in `folder`; undefined where there is none, or the system hands cores to a program. */
const coreOf = (pid, folder) => {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  if (!/^[\w.-]+(%p)?$/.test(pattern)) return undefined;
  const name = pattern.replace('%p', String(pid));
  return [`${name}.${pid}`, name].map((file) => join(folder, file)).find((file) => existsSync(file));
};

/**
 * What all threads of a crashed process were doing, as gdb reads it from its core file, which is removed.
 * @returns {string | undefined} undefined where it did not crash; else the backtrace, or why there is none
 */
export const nativeBacktrace = (signal, pid, folder) => {
  if (!CRASHES.has(signal) || process.platform !== 'linux') return undefined;
  const core = coreOf(pid, folder);
  if (!core) return 'no core file was left\n';
  const gdb = ['-batch', '-ex', 'set pagination off', '-ex', 'bt 40', '-ex', 'thread apply all bt 20', process.execPath, core];
  const { stdout, error } = spawnSync('gdb', gdb, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 });
  // Without gdb it stays, for whoever has one.
  if (error) return `gdb is not here (${error.message}): ${core} stays\n`;
  rmSync(core);
  return `${stdout.split('\n').slice(0, LINES).join('\n')}\n`;
};
