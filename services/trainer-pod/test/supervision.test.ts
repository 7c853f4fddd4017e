import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ApiError } from '@tunefleet/contracts';
import { EXIT } from '../src/exit-codes.js';
import { insist } from '../src/supervision/insist.js';
import { removeStalePidFiles, writePidFile } from '../src/supervision/pid-file.js';
import { exitCodeOf } from '../src/supervision/supervise.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tunefleet-pod-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a pid file appears whole, is removed at the end, and one whose process is gone is swept', async () => {
  const remove = await writePidFile(folder, 'training-ftjob-a', process.pid);
  expect(await readFile(join(folder, 'training-ftjob-a.pid'), 'utf8')).toBe(`${process.pid}\n`);
  await writeFile(join(folder, 'training-ftjob-b.pid'), '2147483646\n');
  await writeFile(join(folder, 'trainer-pod-1.pid'), '2147483646\n');
  await removeStalePidFiles(folder);
  expect((await readdir(folder)).sort()).toEqual(['trainer-pod-1.pid', 'training-ftjob-a.pid']);
  await remove();
  expect(await readdir(folder)).toEqual(['trainer-pod-1.pid']);
});

test('an outage is waited through; a refusal and a missing file are not', async () => {
  const { signal } = new AbortController();
  let tries = 0;
  const faults: unknown[] = [];
  const answer = await insist(
    async () => {
      if (++tries < 3) throw new ApiError('service_unavailable', 'away');
      return tries;
    },
    signal,
    (fault) => faults.push(fault),
  );
  expect([answer, faults.length]).toEqual([3, 2]);
  const refused = async () => {
    throw new ApiError('invalid_state', 'lost');
  };
  await expect(insist(refused, signal, () => undefined)).rejects.toThrow('lost');
  await expect(
    insist(
      () => readFile(join(folder, 'none')),
      signal,
      () => undefined,
    ),
  ).rejects.toThrow('ENOENT');
});

test('an outage ends with the work', async () => {
  const stop = new AbortController();
  const away = async () => {
    throw new ApiError('service_unavailable', 'away');
  };
  const running = insist(away, stop.signal, () => stop.abort(new Error('stopped')));
  await expect(running).rejects.toThrow();
});

test('exit codes say what became of the only job', () => {
  const error = { code: 'training_failed', message: 'm', param: null };
  expect(exitCodeOf({ type: 'completed', result: null })).toBe(EXIT.done);
  expect(exitCodeOf({ type: 'drained' })).toBe(EXIT.drained);
  expect(exitCodeOf({ type: 'failed', error, retry: false })).toBe(EXIT.permanent);
  expect(exitCodeOf({ type: 'failed', error, retry: true })).toBe(EXIT.temporary);
  expect(exitCodeOf(null)).toBe(EXIT.temporary);
});
