import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { say } from './progress.mjs';

// Node has no flock(2). A child locks the file description it inherits from us; the kernel keeps that lock for as long
// as *we* hold the descriptor, so it is released by any death of ours, kill -9 included.
const PERL = 'use Fcntl ":flock"; open(my $f, ">>&=", 3) or exit 2; exit(flock($f, LOCK_EX | ($ARGV[0] ? LOCK_NB : 0)) ? 0 : 1)';
const lockers = (now) => [
  ['flock', now ? ['-n', '3'] : ['3']],
  ['perl', ['-e', PERL, now ? '1' : '0']],
];

const exitOf = (command, args, fd) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.on('error', () => resolve(undefined));
    child.on('exit', (code) => resolve(code ?? 2));
  });

const attempt = async (fd, now) => {
  for (const [command, args] of lockers(now)) {
    const code = await exitOf(command, args, fd);
    if (code !== undefined) return code === 0;
  }
  return true; // neither tool exists (Windows): two set-ups at once are then the caller's to avoid
};

/** Runs `body` while holding an exclusive lock on the file `path`; waits for its present holder. */
export const withLock = async (path, holder, body) => {
  const fd = openSync(path, 'a');
  try {
    if (!(await attempt(fd, true))) {
      say(`waiting for ${holder}`);
      if (!(await attempt(fd, false))) throw new Error(`cannot lock ${path}`);
    }
    return await body();
  } finally {
    closeSync(fd);
  }
};
