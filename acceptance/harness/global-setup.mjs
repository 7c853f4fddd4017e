import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..', '..');

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** One fleet for the suite, unless TUNEFLEET_URL names one that runs already. */
export default async function setUp() {
  if (process.env.TUNEFLEET_URL) return;
  const data = mkdtempSync(join(tmpdir(), 'tunefleet-acceptance-'));
  const key = 'acceptance-admin-key';
  const child = spawn(process.execPath, [join(ROOT, 'deploy/local/dist/main.js')], {
    env: { ...process.env, NODE_OPTIONS: '', TUNEFLEET_DATA: data, TUNEFLEET_PORT: String(await freePort()), TUNEFLEET_API_KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  globalThis.acceptanceFleet = { child, data };
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = /^tunefleet ready url=(\S+)/.exec(line);
    if (!ready) continue;
    process.env.TUNEFLEET_URL = ready[1];
    process.env.TUNEFLEET_API_KEY = key;
    return;
  }
  throw new Error(`the fleet did not become ready; its logs are in ${data}/logs`);
}
