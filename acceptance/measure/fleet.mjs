// A fleet of its own on a fresh data folder, for the measuring scripts beside this.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = join(import.meta.dirname, '..', '..');
export const KEY = 'measure-admin-key-1';
export const IDLE_MS = 5000; // timers and pools of a start have settled by then

export const secondsSince = (start) => (performance.now() - start) / 1000;

/** Starts the launcher and waits for its ready line. `json` asks the API; `memory` is the output of tools/memory.mjs. */
export async function startFleet() {
  const data = mkdtempSync(join(tmpdir(), 'tunefleet-measure-'));
  const started = performance.now();
  const launcher = spawn(process.execPath, [join(ROOT, 'deploy/local/dist/main.js')], {
    env: { ...process.env, TUNEFLEET_DATA: data, TUNEFLEET_PORT: '0', TUNEFLEET_API_KEY: KEY },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async () => {
    const exited = launcher.exitCode === null ? once(launcher, 'exit') : null;
    launcher.kill('SIGTERM');
    await exited;
    rmSync(data, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: launcher.stdout })) {
    const url = /^tunefleet ready url=(\S+)/.exec(line)?.[1];
    if (url) return { url, data, readySeconds: secondsSince(started), json: jsonOf(url), memory: () => memory(data), stop };
  }
  await stop();
  throw new Error('the fleet did not become ready');
}

const jsonOf =
  (url) =>
  async (path, init = {}) => {
    const response = await fetch(`${url}/v1${path}`, { ...init, headers: { authorization: `Bearer ${KEY}`, ...init.headers } });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };

/** For `init` of `json`. */
export const post = (body) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

function memory(data) {
  const { stdout } = spawnSync(process.execPath, [join(ROOT, 'tools/memory.mjs'), '--json'], {
    env: { ...process.env, TUNEFLEET_DATA: data },
    encoding: 'utf8',
  });
  return JSON.parse(stdout);
}
