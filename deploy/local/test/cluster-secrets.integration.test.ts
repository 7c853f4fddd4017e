import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { writeClusterSecrets } from '../src/cluster-secrets.js';

const COMMAND = join(import.meta.dirname, '..', '..', 'compose', 'make-secrets.mjs');
const read = (folder: string): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));

let folder: string;

beforeAll(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'tunefleet-secrets-')), 'secrets');
  writeClusterSecrets(folder);
});

afterAll(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const path = natsServerPath();
skipUnless(path !== undefined, NATS_MISSING)('nats-server takes the configuration', () => {
  const { status, stderr } = spawnSync(path ?? '', ['-t', '-c', join(folder, 'nats.conf')], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, expect.stringContaining('configuration file')]);
});

test('every file is its owner’s alone, and none ends in a line end that would become part of a password', () => {
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const [name, text] of Object.entries(read(folder))) {
    expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
    if (name !== 'nats.conf') expect([name, text]).toEqual([name, text.trim()]);
  }
});

test('the command keeps what is there, makes what is missing, and says so when nats.conf is of other credentials', () => {
  const before = read(folder);
  const { status } = spawnSync(process.execPath, [COMMAND, folder], { env: {} });
  expect([status, read(folder)]).toEqual([0, before]);
  rmSync(join(folder, 'nats-dataset'));
  const outdated = spawnSync(process.execPath, [COMMAND, folder], { env: {}, encoding: 'utf8' });
  expect([outdated.status, outdated.stderr]).toEqual([1, expect.stringContaining('delete it')]);
  const after = read(folder);
  expect(after['nats-dataset']).not.toBe(before['nats-dataset']);
  expect({ ...after, 'nats-dataset': before['nats-dataset'] }).toEqual(before);
  rmSync(join(folder, 'nats.conf'));
  execFileSync(process.execPath, [COMMAND, folder], { env: {}, stdio: 'ignore' });
  expect(readFileSync(join(folder, 'nats.conf'), 'utf8')).toContain(after['nats-dataset']?.split(':')[1]);
});

test('a secret that is given is kept: here the key of an S3 server that exists', () => {
  const given = mkdtempSync(join(tmpdir(), 'tunefleet-secrets-'));
  writeFileSync(join(given, 's3-secret-key'), 'a key from elsewhere');
  writeClusterSecrets(given);
  expect(read(given)['s3-secret-key']).toBe('a key from elsewhere');
  rmSync(given, { recursive: true });
});
