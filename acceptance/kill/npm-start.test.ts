import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { freePort } from '../../tools/jest/server-process.js';
import { until } from '../harness/data.js';
import { ROOT } from '../harness/environment.js';

test('npm start prints its ready line and nothing else on stdout; SIGTERM to npm drains and exits 0', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tunefleet-start-'));
  const port = await freePort();
  // npm takes a parent npm's settings from the environment: without them, as in a stranger's shell
  const shell = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')));
  const npm = spawn('npm', ['start'], {
    cwd: ROOT,
    env: { ...shell, NODE_OPTIONS: '', TUNEFLEET_DATA: data, TUNEFLEET_PORT: String(port), TUNEFLEET_API_KEY: 'acceptance-admin-key' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let errors = '';
  npm.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  npm.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exited = once(npm, 'exit');
  try {
    await until(
      () => Promise.resolve(out),
      (text) => text.includes('\n') || npm.exitCode !== null,
      60,
    );
    npm.kill('SIGTERM');
    const [code] = await exited;
    expect({ out, code, errors: code === 0 ? '' : errors }).toEqual({
      out: `tunefleet ready url=http://127.0.0.1:${port} key=(TUNEFLEET_API_KEY)\n`,
      code: 0,
      errors: '',
    });
  } finally {
    npm.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}, 120_000);
