import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ServerProcess } from './server-process.js';
import { readTools } from './tools.js';

/** Why there is no nats-server, for `skipUnless`. */
export const NATS_MISSING = 'nats-server: none was found; run `node tools/setup.mjs`';

/** The path of the nats-server that set-up found, or undefined. */
export const natsServerPath = (): string | undefined => process.env['TUNEFLEET_NATS_SERVER'] || readTools().natsServer;

export interface NatsTestServer {
  /** `nats://127.0.0.1:PORT`: the same after a restart. */
  readonly url: string;
  readonly port: number;
  readonly pid: number | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** kill -9: what was acknowledged is still there after `start()`. */
  kill(): Promise<void>;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

/**
 * A real nats-server with JetStream on a free port of 127.0.0.1 and a folder of its own, which a restart keeps.
 * @param config text added to its configuration, e.g. `authorization {...}`; or a function that makes the whole of it
 */
export const startNatsServer = async (
  config: string | ((place: { port: number; store: string }) => string) = '',
): Promise<NatsTestServer> => {
  const path = natsServerPath();
  if (!path) throw new Error(NATS_MISSING);
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-nats-'));
  const port = await freePort();
  const store = join(folder, 'store');
  const own = `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(store)}, sync_interval: always }\n`;
  const file = join(folder, 'nats.conf');
  writeFileSync(file, typeof config === 'function' ? config({ port, store }) : own + config);
  const server = new ServerProcess(path, ['--config', file], port);
  await server.start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid;
    },
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    close: async () => {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
