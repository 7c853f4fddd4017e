import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminKey } from './api-key.js';
import type { Config } from './config.js';
import { LaunchError } from './failure.js';
import { natsProcess, type Ports, processNames, serviceProcesses } from './fleet.js';
import { lockFolder } from './folder-lock.js';
import { endLeftovers } from './leftovers.js';
import { launcherLog, logTail, type Note, rotateLogs } from './logs.js';
import { natsConfig } from './nats-config.js';
import { readPids, removePid, writePid } from './pid-files.js';
import { becomesFree, freePorts } from './ports.js';
import { identify } from './process-identity.js';
import { readSecrets, writeSecret } from './secrets.js';
import type { Service } from './services.js';
import { Supervised } from './supervised.js';

const START_MS = 60_000; // a fleet that is not ready by then has a fault
const MOST_FAILURES = 5; // ends of one process before the first readiness
const POLL_MS = 50;
const PORT_MS = 1000; // that a fleet on its way out may still hold the gateway's port
const UPKEEP_MS = 10_000; // log sizes and stale pid files

// How long each phase may take before what is left of it is killed. A pod ends its step, then writes and uploads a snapshot.
const PATIENCE = { gateway: 3000, pod: 15_000, service: 5000, nats: 2000 };

/** Waits until every process is ready, or `stop`. Throws LaunchError that names who is not, and why. */
const allReady = async (processes: readonly Supervised[], config: Config, stop: AbortSignal): Promise<void> => {
  const deadline = Date.now() + START_MS;
  const waiting = new Set(processes);
  while (waiting.size > 0 && !stop.aborted) {
    await Promise.all([...waiting].map(async (one) => (await one.spec.isReady()) && waiting.delete(one)));
    const broken = [...waiting].find(({ failures }) => failures >= MOST_FAILURES);
    const late = Date.now() > deadline ? [...waiting][0] : undefined;
    const culprit = broken ?? late;
    if (culprit) {
      const { name } = culprit.spec;
      const what = broken ? `ended ${culprit.failures} times before it was ready` : `is not ready after ${START_MS / 1000} s`;
      const log = join(config.folders.logs, `${name}.log`);
      throw new LaunchError(`${name} ${what}; the end of ${log}:\n${logTail(config.folders.logs, name)}`);
    }
    if (waiting.size > 0) await sleep(POLL_MS);
  }
};

const choosePorts = async (config: Config, services: readonly Service[]): Promise<Ports> => {
  if (config.port !== 0 && !(await becomesFree(config.port, PORT_MS))) {
    throw new LaunchError(`port ${config.port} is in use; set TUNEFLEET_PORT to another (0: any free one)`);
  }
  const names = services.filter(({ role }) => role !== 'gateway').flatMap((service) => processNames(service, config.pods));
  const [nats = 0, gateway = 0, ...others] = await freePorts(names.length + 2);
  return { nats, gateway: config.port || gateway, of: new Map(names.map((name, index) => [name, others[index] ?? 0])) };
};

/** Logs turned over; pid files of processes that could not remove their own (a training process whose pod was killed) removed. */
const upkeep = (config: Config): void => {
  rotateLogs(config.folders.logs);
  for (const { name, pid } of readPids(config.folders.run)) if (!identify(pid)) removePid(config.folders.run, name, pid);
};

interface Fleet {
  readonly gatewayPort: number;
  readonly shownKey: string;
  readonly keyWasShown: () => void;
  readonly ready: () => Promise<void>;
  readonly drain: () => Promise<void>;
}

const startFleet = async (config: Config, services: readonly Service[], note: Note, stop: AbortSignal): Promise<Fleet> => {
  const { folders } = config;
  const ports = await choosePorts(config, services);
  const users = services.map(({ name }) => name);
  const secrets = readSecrets(folders.secrets, users);
  const key = adminKey(folders, config.apiKey);
  const passwords = new Map([...secrets.passwords].map(([user, password]) => [user, JSON.stringify(password)]));
  writeSecret(join(folders.nats, 'nats.conf'), natsConfig(`127.0.0.1:${ports.nats}`, join(folders.nats, 'store'), passwords));

  const nats = new Supervised(natsProcess(config, ports), folders, note);
  const groups = services.map((service) => ({
    role: service.role,
    processes: serviceProcesses(config, services, service, ports, secrets, key).map((spec) => new Supervised(spec, folders, note)),
  }));
  const all = groups.flatMap(({ processes }) => processes);
  // The life line ends the services of a launcher that dies; nats-server has none.
  process.once('exit', () => {
    for (const one of [...all, nats]) one.killNow();
  });
  const drain = async (): Promise<void> => {
    for (const role of ['gateway', 'pod', 'service'] as const) {
      note('stopping', { phase: role });
      const members = groups.filter((group) => group.role === role).flatMap(({ processes }) => processes);
      await Promise.all(members.map((one) => one.stop(PATIENCE[role])));
    }
    await nats.stop(PATIENCE.nats);
  };
  const ready = async (): Promise<void> => {
    nats.start();
    await allReady([nats], config, stop);
    if (!stop.aborted) for (const one of all) one.start();
    await allReady(all, config, stop);
  };
  return { gatewayPort: ports.gateway, shownKey: key.shown, keyWasShown: key.wasShown, ready, drain };
};

const untilAborted = (stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener('abort', () => resolve(), { once: true });
  });

/**
 * Runs the fleet on its data folder until `stop`: locks the folder, ends leftovers, starts everything, prints the ready line,
 * drains in phases. Throws LaunchError, with nothing left running.
 */
export const launch = async (config: Config, services: readonly Service[], stop: AbortSignal): Promise<void> => {
  const { folders } = config;
  const unlock = lockFolder(folders.data);
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folders.secrets, 0o700);
  const note = launcherLog(folders.logs);
  const leftovers = await endLeftovers(folders);
  if (leftovers.length > 0) note('ended what an earlier launcher left', { pids: leftovers });
  writePid(folders.run, 'launcher', process.pid);
  const timer = setInterval(() => upkeep(config), UPKEEP_MS);
  try {
    const fleet = await startFleet(config, services, note, stop);
    try {
      await fleet.ready();
      if (!stop.aborted) {
        process.stdout.write(`tunefleet ready url=http://127.0.0.1:${fleet.gatewayPort} key=${fleet.shownKey}\n`);
        fleet.keyWasShown();
        note('ready', { port: fleet.gatewayPort });
      }
      await untilAborted(stop);
    } finally {
      await fleet.drain();
    }
  } finally {
    clearInterval(timer);
    upkeep(config);
    removePid(folders.run, 'launcher', process.pid);
    note('ended');
    unlock();
  }
};
