import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/nats-server.js';
import { freePort } from '../../../tools/jest/server-process.js';
import { repository } from '../../../tools/jest/tools.js';

const BUNDLED = join(repository, 'base-models');
const SHARED = process.env['TUNEFLEET_SHARED'] ?? join(repository, '..', 'shared');
const STORIES = join(SHARED, 'data', 'models', 'stories260K-hf');

const hasBundled = existsSync(join(BUNDLED, 'tunefleet-base', 'model.safetensors'));

/** Why no fleet can be started, or undefined. */
export const fleetMissing = (): string | undefined => {
  if (!natsServerPath()) return NATS_MISSING;
  return hasBundled || existsSync(STORIES)
    ? undefined
    : 'TUNEFLEET_SHARED: no tunefleet-base in base-models/, and no stories260K-hf to stand in for it';
};

/** The folder of bases: the bundled one, or the tiny trained model under its name. */
function bases(folder: string): string {
  if (hasBundled) return BUNDLED;
  const made = join(folder, 'bases');
  mkdirSync(made);
  symlinkSync(STORIES, join(made, 'tunefleet-base'));
  return made;
}

export interface TestFleet {
  url: string;
  key: string;
  /** A folder that goes with the fleet. */
  folder: string;
  stop(): Promise<void>;
}

/** The whole fleet as `npm start` runs it, on a free port and a folder of its own. */
export async function startFleet(): Promise<TestFleet> {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-client-'));
  const key = 'client-test-admin-key';
  const child: ChildProcess = spawn(process.execPath, [join(repository, 'deploy/local/dist/main.js')], {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      TUNEFLEET_NATS_SERVER: natsServerPath(),
      TUNEFLEET_DATA: join(folder, 'data'),
      TUNEFLEET_PORT: String(await freePort()),
      TUNEFLEET_API_KEY: key,
      TUNEFLEET_BASE_MODELS: bases(folder),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  if (!child.stdout) throw new Error('the launcher has no stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = /^tunefleet ready url=(\S+) key=/.exec(line);
    if (ready?.[1]) return { url: ready[1], key, folder, stop };
  }
  await stop();
  throw new Error('the fleet ended before it was ready');
}
