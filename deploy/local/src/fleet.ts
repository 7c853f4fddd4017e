import { mkdirSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { AdminKey } from './api-key.js';
import { type Config, repository } from './config.js';
import { RUN_VARIABLE } from './leftovers.js';
import { answersReady, greets } from './readiness.js';
import type { Secrets } from './secrets.js';
import type { Service } from './services.js';
import type { ProcessSpec } from './supervised.js';

export interface Ports {
  readonly nats: number;
  readonly gateway: number;
  /** Of every other process, by its name. */
  readonly of: ReadonlyMap<string, number>;
}

/** The processes of a service: one, or as many as there are pods. */
export const processNames = (service: Service, pods: number): string[] =>
  service.role === 'pod' ? Array.from({ length: pods }, (_, index) => `${service.name}-${index + 1}`) : [service.name];

/** Empties and makes the folder a process may write to. */
const temporaryFolder = (config: Config, name: string): string => {
  const folder = join(config.folders.temporary, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
};

export const natsProcess = (config: Config, ports: Ports): ProcessSpec => ({
  name: 'nats-server',
  run: { program: config.natsServer, args: ['--config', join(config.folders.nats, 'nats.conf')] },
  env: { ...config.inherited, [RUN_VARIABLE]: config.folders.run },
  isReady: () => greets(ports.nats),
});

const routes = (services: readonly Service[], ports: Ports, key: AdminKey): Record<string, string> => {
  const env: Record<string, string> = { TUNEFLEET_API_KEY_FILE: key.file };
  for (const { name, role } of services) {
    if (role === 'service') env[`TUNEFLEET_${name.toUpperCase().replaceAll('-', '_')}_URL`] = `http://127.0.0.1:${ports.of.get(name)}`;
  }
  return env;
};

/** Every process of a service, with its environment as docs/architecture.md ("Processes") names it. */
export const serviceProcesses = (
  config: Config,
  services: readonly Service[],
  service: Service,
  ports: Ports,
  secrets: Secrets,
  key: AdminKey,
): ProcessSpec[] =>
  processNames(service, config.pods).map((name) => {
    const port = service.role === 'gateway' ? ports.gateway : (ports.of.get(name) ?? 0);
    const env: Record<string, string> = {
      ...config.inherited,
      HOST: '127.0.0.1',
      PORT: String(port),
      NATS_URL: `nats://127.0.0.1:${ports.nats}`,
      NATS_CREDS_FILE: secrets.credentialsFile(service.name),
      TUNEFLEET_IDENTITY_KEY_FILE: secrets.identityKeyFile,
      TMPDIR: temporaryFolder(config, name),
      TUNEFLEET_INSTANCE: name,
      [RUN_VARIABLE]: config.folders.run,
    };
    if (service.needs.includes('objects')) env['TUNEFLEET_OBJECTS'] = config.folders.objects;
    if (service.needs.includes('base-models')) env['TUNEFLEET_BASE_MODELS'] ??= join(repository, 'base-models');
    if (service.needs.includes('slots')) env['TUNEFLEET_TRAIN_QUEUES'] ??= `default:${config.pods}`;
    if (service.needs.includes('routes')) Object.assign(env, routes(services, ports, key));
    const script = isAbsolute(service.entry) ? service.entry : join(repository, service.entry);
    return { name, run: { script }, env, isReady: () => answersReady(port) };
  });
