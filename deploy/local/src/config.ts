import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LaunchError } from './failure.js';

/** The repository's root folder; this file runs as deploy/local/dist/config.js. */
export const repository = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

export interface Config {
  /** The gateway's port; 0: any free one. */
  readonly port: number;
  readonly pods: number;
  /** The admin key given by the user, if any. */
  readonly apiKey: string | undefined;
  readonly natsServer: string;
  readonly folders: Folders;
  /** What the processes inherit: the user's environment without what belongs to the launcher or to other software's credentials. */
  readonly inherited: Record<string, string>;
}

export interface Folders {
  readonly data: string;
  readonly run: string;
  readonly logs: string;
  readonly secrets: string;
  readonly nats: string;
  readonly objects: string;
  readonly temporary: string;
}

const SHORTEST_KEY = 16; // characters
const MOST_PODS = 16;

// AWS_* and NATS_*: a shell's own credentials must not decide where the fleet stores things, and a pod gets none at all.
const NOT_INHERITED =
  /^(AWS_.*|NATS_.*|npm_.*|NODE_CHANNEL_.*|PORT|HOST|TMPDIR|TUNEFLEET_(PORT|DATA|PODS|API_KEY|IDENTITY_KEY|OBJECTS|RUN_DIR|INSTANCE)(_FILE)?)$/;

const number = (env: NodeJS.ProcessEnv, name: string, fallback: number, least: number, most: number): number => {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new LaunchError(`${name} is "${text}"; it has to be a whole number from ${least} to ${most}`);
};

const key = (env: NodeJS.ProcessEnv): string | undefined => {
  const given = env['TUNEFLEET_API_KEY'];
  if (given === undefined || given === '') return undefined;
  if (given.length < SHORTEST_KEY)
    throw new LaunchError(`TUNEFLEET_API_KEY has ${given.length} characters; give it ${SHORTEST_KEY} or more`);
  // It travels in an HTTP header.
  if (!/^[\x21-\x7e]+$/.test(given)) throw new LaunchError('TUNEFLEET_API_KEY may hold only printable ASCII characters, no blanks');
  return given;
};

const natsServer = (env: NodeJS.ProcessEnv): string => {
  if (env['TUNEFLEET_NATS_SERVER']) return env['TUNEFLEET_NATS_SERVER'];
  try {
    const tools = JSON.parse(readFileSync(join(repository, 'node_modules/.cache/tunefleet/tools.json'), 'utf8')) as { natsServer?: string };
    if (tools.natsServer) return tools.natsServer;
  } catch {
    // set-up has not run
  }
  throw new LaunchError(
    'no nats-server is known; run `node tools/setup.mjs`, or set TUNEFLEET_NATS_SERVER to the path of one (2.10 or newer)',
  );
};

/** The code's commit, for the lineage of what it trains; `unknown` outside a checkout. */
const revision = (): string => {
  const git = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: repository, encoding: 'utf8' });
  return git.status === 0 ? git.stdout.trim() : 'unknown';
};

const folders = (env: NodeJS.ProcessEnv): Folders => {
  const wanted = resolve(env['TUNEFLEET_DATA'] || join(repository, '.tunefleet'));
  try {
    mkdirSync(wanted, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LaunchError(`the data folder ${wanted} cannot be made (${String(error)}); set TUNEFLEET_DATA to one that can`);
  }
  const data = realpathSync(wanted); // one name for it, whatever link it was reached by
  const below = (name: string): string => join(data, name);
  return {
    data,
    run: below('run'),
    logs: below('logs'),
    secrets: below('secrets'),
    nats: below('nats'),
    objects: below('objects'),
    temporary: below('tmp'),
  };
};

/** Reads the environment once; makes the data folder. Throws LaunchError. */
export const readConfig = (env: NodeJS.ProcessEnv): Config => {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && !NOT_INHERITED.test(name)) inherited[name] = value;
  if (!inherited['TUNEFLEET_REVISION']) inherited['TUNEFLEET_REVISION'] = revision();
  return {
    port: number(env, 'TUNEFLEET_PORT', 8080, 0, 65_535),
    pods: number(env, 'TUNEFLEET_PODS', 1, 1, MOST_PODS),
    apiKey: key(env),
    natsServer: natsServer(env),
    folders: folders(env),
    inherited,
  };
};
