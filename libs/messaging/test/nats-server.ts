import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A real nats-server on a store folder of its own; the same port and folder over restarts. */
export interface TestNats {
  url: string;
  port: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Stop and remove the folder. */
  end(): Promise<void>;
}

/** `TUNEFLEET_NATS_SERVER`, else what set-up put into the tools cache; null when there is none. */
export function findNatsServer(): string | null {
  const given = process.env['TUNEFLEET_NATS_SERVER'];
  if (given && existsSync(given)) return given;
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tunefleet');
  if (!existsSync(cache)) return null;
  for (const folder of readdirSync(cache).filter((name) => name.startsWith('nats-server')))
    for (const path of [join(cache, folder), join(cache, folder, 'nats-server')])
      if (existsSync(path) && !readdirSync(join(path, '..')).includes('.partial') && path.endsWith('nats-server')) return path;
  return null;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const accepts = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = dial(port, '127.0.0.1');
    socket.once('data', () => resolve(true)).once('error', () => resolve(false));
    socket.once('data', () => socket.destroy());
  });

/** @param accounts extra configuration, e.g. an `authorization` block. */
export async function startNats(accounts = ''): Promise<TestNats> {
  const binary = findNatsServer();
  if (!binary) throw new Error('nats-server not found: set TUNEFLEET_NATS_SERVER or run the set-up');
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-nats-'));
  const port = await freePort();
  // sync_interval always: an acknowledged write is on disk, as in production.
  const config = `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/store", sync_interval: always }\n${accounts}\n`;
  writeFileSync(join(folder, 'nats.conf'), config);
  let child: ChildProcess | null = null;
  const server: TestNats = {
    url: `nats://127.0.0.1:${port}`,
    port,
    async start() {
      child = spawn(binary, ['-c', join(folder, 'nats.conf')], { stdio: 'ignore' });
      for (let tries = 0; !(await accepts(port)); tries++) {
        if (tries > 200 || child.exitCode !== null) throw new Error('nats-server does not start');
        await sleep(25);
      }
    },
    async stop(signal = 'SIGTERM') {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
    async end() {
      await server.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
