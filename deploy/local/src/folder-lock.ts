import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LaunchError } from './failure.js';

// Node has no flock(2). A child locks the file description that it inherits from us; the kernel keeps that lock while *we*
// hold the descriptor (our other children do not inherit it), so any death of ours releases it, kill -9 included.
const LOCKERS: readonly [string, readonly string[]][] = [
  ['flock', ['-n', '3']],
  ['perl', ['-e', 'use Fcntl ":flock"; open(my $f, ">>&=", 3) or exit 2; exit(flock($f, LOCK_EX | LOCK_NB) ? 0 : 1)']],
];

const locked = (fd: number): boolean => {
  for (const [command, args] of LOCKERS) {
    const { error, status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    if (!error) return status === 0;
  }
  throw new LaunchError('the data folder cannot be locked: install `flock` (util-linux) or perl');
};

/**
 * Takes the data folder for this process until it ends or calls the function returned. Two nats-servers on one store would
 * both start and diverge silently. Throws LaunchError that names the holder's pid and the folder.
 */
export const lockFolder = (folder: string): (() => void) => {
  const path = join(folder, 'launcher.lock');
  const fd = openSync(path, 'a+', 0o600);
  if (!locked(fd)) {
    closeSync(fd);
    const holder = readFileSync(path, 'utf8').trim() || 'unknown';
    throw new LaunchError(`a fleet already runs on ${folder}, pid ${holder}; stop it, or set TUNEFLEET_DATA to another folder`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return () => closeSync(fd);
};
