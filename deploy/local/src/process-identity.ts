import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  /** When it started, ms since 1970, to about a second. */
  readonly startedAt: number;
  /** Its command line, arguments joined by blanks. */
  readonly command: string;
  /** Its environment at its start, as `NAME=value` strings; undefined where the system does not tell. */
  readonly environment: readonly string[] | undefined;
}

const TICKS = 100; // USER_HZ: the unit of /proc/<pid>/stat is 1/100 s on every Linux

let bootedAt: number | undefined;
const boot = (): number => {
  bootedAt ??= Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0) * 1000;
  return bootedAt;
};

const onLinux = (pid: number): ProcessIdentity | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before it may hold blanks
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined; // dead, not yet reaped
    const strings = (file: string): string[] => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0');
    let environment: string[] | undefined;
    try {
      environment = strings('environ');
    } catch {
      environment = undefined; // another user's
    }
    return { startedAt: boot() + (Number(fields[19]) * 1000) / TICKS, command: strings('cmdline').join(' '), environment };
  } catch {
    return undefined;
  }
};

const elsewhere = (pid: number): ProcessIdentity | undefined => {
  const { status, stdout } = spawnSync('ps', ['-ww', '-o', 'lstart=,command=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const line = /^(\w+ +\w+ +\d+ +[\d:]+ +\d+) +(.*)$/.exec(stdout.trim());
  if (status !== 0 || !line) return undefined;
  return { startedAt: Date.parse(line[1] ?? ''), command: line[2] ?? '', environment: undefined };
};

/** Who a pid is, or undefined if it is nobody (any more). */
export const identify = (pid: number): ProcessIdentity | undefined => {
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  return process.platform === 'linux' ? onLinux(pid) : elsewhere(pid);
};

/** Every pid on this machine; none where the system does not list them as files. */
export const everyPid = (): number[] => {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
};
