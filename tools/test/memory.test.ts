import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { skipUnless } from '../jest/skip-unless.js';

const data = mkdtempSync(join(tmpdir(), 'tunefleet-memory-'));
afterAll(() => rmSync(data, { recursive: true }));

const memory = (folder: string) =>
  spawnSync(process.execPath, [join(import.meta.dirname, '../memory.mjs'), '--json'], {
    env: { ...process.env, TUNEFLEET_DATA: folder },
    encoding: 'utf8',
  });

const folderWith = (name: string, pids: Readonly<Record<string, number>>): string => {
  const run = join(data, name, 'run');
  mkdirSync(run, { recursive: true });
  for (const [process, pid] of Object.entries(pids)) writeFileSync(join(run, `${process}.pid`), `${pid}\n`);
  return join(data, name);
};

test.each([
  ['was never started', () => join(data, 'nowhere')],
  ['has stopped', () => folderWith('stopped', {})],
  ['was killed', () => folderWith('killed', { nats: spawnSync(process.execPath, ['--version']).pid })],
])('of a fleet that %s the memory is not told, but what to do', (_what, folder) => {
  const { status, stdout, stderr } = memory(folder());
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(
    /^No fleet runs on .*\. Start one with `npm start`, or set TUNEFLEET_DATA to the data folder of the one that runs\.$/m,
  );
  expect(stderr).not.toContain('    at ');
});

const linux = skipUnless(process.platform === 'linux', 'Linux: elsewhere there is no PSS');

linux('of a process that runs it is told, and others that have ended are named', () => {
  const folder = folderWith('running', { gateway: process.pid, nats: spawnSync(process.execPath, ['--version']).pid });
  const { status, stdout, stderr } = memory(folder);
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('nats.pid') });
  const { megabytes, processes } = JSON.parse(stdout);
  expect(processes).toEqual([expect.objectContaining({ process: 'gateway', pid: process.pid, pss: megabytes })]);
});
