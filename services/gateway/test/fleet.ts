import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, connect } from '@tunefleet/messaging';
import { type App, createApp, createLogger } from '@tunefleet/service';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { gatewayApp } from '../src/app.js';
import type { GatewayConfig } from '../src/config.js';
import { keepBootstrapKey } from '../src/domain/bootstrap.js';
import { type KeyStore, openKeys } from '../src/store/keys.js';

export const natsIsThere = natsServerPath() !== undefined;
export const test = skipUnless(natsIsThere, NATS_MISSING);
export const IDENTITY_KEY = 'identity-key-of-the-tests-0123456789';
export const ADMIN_KEY = 'an-admin-key-of-the-tests';
const logger = createLogger('test', process.env['TEST_LOG_LEVEL'] ?? 'silent');

/** A gateway on a real nats-server, before one real service that stands in for all five. */
export interface Fleet {
  url: string;
  gateway: App;
  service: App;
  nats: NatsTestServer;
  keys: KeyStore;
  bus: Bus;
  call(path: string, init?: RequestInit & { key?: string | null; duplex?: 'half' }): Promise<Response>;
  /** A new key; returns id and key. */
  key(project: string, scope: 'read' | 'write' | 'admin', extra?: object): Promise<{ id: string; key: string }>;
  end(): Promise<void>;
}

export interface FleetOptions {
  routes: (service: App) => void;
  config?: Partial<GatewayConfig>;
}

export async function startFleet({ routes, config }: FleetOptions): Promise<Fleet> {
  const nats = await startNatsServer();
  const service = await createApp({
    name: 'dataset',
    config: { TUNEFLEET_IDENTITY_KEY: IDENTITY_KEY },
    logger,
    title: 'Service',
    checks: {},
  });
  routes(service);
  const origin = await service.listen({ port: 0, host: '127.0.0.1' });
  const bus = await connect({ url: nats.url, name: 'gateway', logger });
  const keys = await openKeys(bus);
  await keepBootstrapKey(keys, ADMIN_KEY);
  const full: GatewayConfig = {
    PORT: 0,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'silent',
    NATS_URL: nats.url,
    TUNEFLEET_IDENTITY_KEY: IDENTITY_KEY,
    TUNEFLEET_DATASET_URL: origin,
    TUNEFLEET_TRAINER_URL: origin,
    TUNEFLEET_EVALUATOR_URL: origin,
    TUNEFLEET_MODEL_REGISTRY_URL: origin,
    TUNEFLEET_INFERENCE_URL: origin,
    TUNEFLEET_RATE_LIMIT: 100_000,
    ...config,
  };
  const gateway = await gatewayApp({ config: full, logger, bus, keys, checkResponses: true });
  const url = await gateway.listen({ port: 0, host: '127.0.0.1' });

  const call: Fleet['call'] = (path, { key = ADMIN_KEY, ...init } = {}) =>
    fetch(url + path, { ...init, headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...(init.headers as object) } });
  return {
    url,
    gateway,
    service,
    nats,
    keys,
    bus,
    call,
    async key(project, scope, extra = {}) {
      const response = await call('/v1/api_keys', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ project, scope, ...extra }),
      });
      return (await response.json()) as { id: string; key: string };
    },
    async end() {
      gateway.server.closeAllConnections();
      service.server.closeAllConnections();
      await gateway.close();
      await service.close();
      keys.close();
      await bus.drain();
      await nats.close();
    },
  };
}

export const json = (body: unknown) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

export const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string; param: string | null; message: string; type: string } }).error;

/** Waits until it holds, 30 s at most. */
export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 3000) throw new Error('it never held');
    await sleep(10);
  }
}
