import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../deploy/local/dist/main.js', import.meta.url));

export interface Fleet {
  url: string;
  key: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no free TCP port on 127.0.0.1');
  return address.port;
}

/** The whole fleet on a free port with a fresh data folder that is removed by `stop`. What `npm start` does, as a child of this process. */
export async function startFleet(): Promise<Fleet> {
  // a key of the user's own would not be printed
  const { TUNEFLEET_API_KEY: _key, ...inherited } = process.env;
  const folder = await mkdtemp(join(tmpdir(), 'tunefleet-quickstart-'));
  const child = spawn(process.execPath, [LAUNCHER], {
    env: { ...inherited, TUNEFLEET_DATA: folder, TUNEFLEET_PORT: String(await freePort()) },
    // the channel is the life line: the fleet ends with this process, however it ends
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: child.stdout as Readable })) {
    const ready = /^tunefleet ready url=(\S+) key=(\S+)$/.exec(line);
    if (ready?.[1] && ready[2]) return { url: ready[1], key: ready[2], stop };
  }
  await stop();
  throw new Error('the fleet stopped before it was ready; its messages stand above');
}
