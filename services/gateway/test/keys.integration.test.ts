import { afterAll, beforeAll, describe, expect, jest } from '@jest/globals';
import { connect } from '@tunefleet/messaging';
import { createLogger } from '@tunefleet/service';
import { postExtraKeys } from '@tunefleet/service/testing';
import { gatewayApp } from '../src/app.js';
import { keepBootstrapKey } from '../src/domain/bootstrap.js';
import { openKeys } from '../src/store/keys.js';
import { ADMIN_KEY, errorOf, type Fleet, IDENTITY_KEY, json, natsIsThere, startFleet, test, until } from './fleet.js';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

let fleet: Fleet;
beforeAll(async () => {
  if (!natsIsThere) return;
  fleet = await startFleet({ routes: (service) => service.get('/v1/files', async (request) => request.identity) });
});
afterAll(() => fleet?.end());

const whoami = async (key: string | null, headers: Record<string, string> = {}) => {
  const response = await fleet.call('/v1/files', { key, headers });
  return response.ok ? ((await response.json()) as object) : (await errorOf(response)).code;
};

describe('the life of a key', () => {
  test('made, told once, listed without its secret, used, revoked', async () => {
    const made = await fleet.call('/v1/api_keys', json({ project: 'acme', scope: 'write' }));
    expect(made.status).toBe(200);
    const { id, key, ...rest } = (await made.json()) as { id: string; key: string };
    expect(key).toMatch(/^tf-[0-9A-Za-z]{24}-[\w-]{43}$/);
    expect(rest).toMatchObject({ object: 'api_key', project: 'acme', scope: 'write', expires_at: null });
    expect(await whoami(key)).toEqual({ project: 'acme', keyId: id, scope: 'write' });

    const list = await (await fleet.call('/v1/api_keys?project=acme')).text();
    expect(JSON.parse(list)).toMatchObject({ object: 'list', has_more: false, first_id: id, last_id: id });
    expect(list).not.toMatch(/hash|tf-/);
    expect(JSON.stringify((await fleet.keys.get(id))!.value)).not.toContain(key);

    const deleted = await fleet.call(`/v1/api_keys/${id}`, { method: 'DELETE' });
    expect(await deleted.json()).toEqual({ id, object: 'api_key', deleted: true });
    expect(await whoami(key)).toBe('invalid_api_key');
    expect((await errorOf(await fleet.call(`/v1/api_keys/${id}`, { method: 'DELETE' }))).code).toBe('key_not_found');
  });

  test('no key, another form, a wrong secret, a key behind another scheme', async () => {
    const { id, key } = await fleet.key('acme', 'read');
    expect(await whoami(null)).toBe('invalid_api_key');
    expect(await whoami('sk-something-else-entirely')).toBe('invalid_api_key');
    expect(await whoami(`${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`)).toBe('invalid_api_key');
    expect(await whoami(id)).toBe('invalid_api_key');
    expect(await whoami(null, { authorization: `Basic ${key}` })).toBe('invalid_api_key');
    expect(await whoami(null, { authorization: `bearer ${key}` })).toMatchObject({ keyId: id });
  });

  test('expiry: only in the future, and then no more', async () => {
    const past = await fleet.call('/v1/api_keys', json({ project: 'acme', scope: 'read', expires_at: 1000 }));
    expect(await errorOf(past)).toMatchObject({ code: 'invalid_value', param: 'expires_at' });
    const soon = await fleet.key('acme', 'read', { expires_at: Math.floor(Date.now() / 1000) + 3 });
    await until(() => fleet.keys.find(soon.id)!.expires_at! * 1000 <= Date.now());
    expect(await whoami(soon.key)).toBe('invalid_api_key');
  });

  test('a retry of the same request leaves one key, and the answer that arrived is the one that works', async () => {
    const send = async (retry: number) => {
      const init = json({ project: 'retried', scope: 'read' });
      const response = await fleet.call('/v1/api_keys', {
        ...init,
        headers: { ...init.headers, 'x-stainless-retry-count': String(retry) },
      });
      return (await response.json()) as { id: string; key: string };
    };
    const lost = await send(0);
    const arrived = await send(1);
    expect(arrived.id).toBe(lost.id);
    expect(await whoami(arrived.key)).toMatchObject({ project: 'retried' });
    expect(await whoami(lost.key)).toBe('invalid_api_key');
  });

  test('a key made or revoked at one gateway is known at the other at once', async () => {
    const logger = createLogger('test', 'silent');
    const bus = await connect({ url: fleet.nats.url, name: 'gateway', logger });
    const keys = await openKeys(bus);
    const { id } = await fleet.key('acme', 'read');
    await until(() => keys.find(id) !== null);
    await fleet.call(`/v1/api_keys/${id}`, { method: 'DELETE' });
    await until(() => keys.find(id) === null);
    keys.close();
    await bus.drain();
  });
});

describe('the key of the environment', () => {
  test('is an admin of project default and replaces the one given before', async () => {
    expect(await whoami(ADMIN_KEY)).toEqual({ project: 'default', keyId: 'key_bootstrap', scope: 'admin' });
    await keepBootstrapKey(fleet.keys, 'the next admin key!!');
    expect(await whoami(ADMIN_KEY)).toBe('invalid_api_key');
    await keepBootstrapKey(fleet.keys, undefined);
    await keepBootstrapKey(fleet.keys, ADMIN_KEY);
    expect(await whoami(ADMIN_KEY)).toMatchObject({ scope: 'admin' });
  });
});

describe("OpenAI's project headers", () => {
  test.each(['openai-project', 'openai-organization'])(
    '%s: own and unknown names pass, another known project is refused',
    async (header) => {
      const { key } = await fleet.key('acme', 'read');
      expect(await whoami(key, { [header]: 'acme' })).toMatchObject({ project: 'acme' });
      expect(await whoami(key, { [header]: 'proj_of_another_world' })).toMatchObject({ project: 'acme' });
      expect(await whoami(key, { [header]: 'default' })).toBe('project_mismatch');
    },
  );
});

test('an extra key at each level of every body is refused by name', async () => {
  const result = await postExtraKeys(fleet.gateway, IDENTITY_KEY, { authorization: `Bearer ${ADMIN_KEY}` });
  expect(result).toEqual({ posted: 1, failures: [] });
});

test('a client over its rate gets 429 with retry-after; another key goes on', async () => {
  const config = { ...limitedConfig(), TUNEFLEET_RATE_LIMIT: 5 };
  const gateway = await gatewayApp({ config, logger: createLogger('test', 'silent'), bus: fleet.bus, keys: fleet.keys });
  const { key } = await fleet.key('acme', 'read');
  const get = (bearer: string) => gateway.inject({ url: '/v1/api_keys/x', headers: { authorization: `Bearer ${bearer}` } });
  for (let count = 0; count < 5; count++)
    expect((await gateway.inject({ url: '/v1/uploads', headers: { authorization: `Bearer ${key}` } })).statusCode).toBe(400);
  const refused = await gateway.inject({ url: '/v1/uploads', headers: { authorization: `Bearer ${key}` } });
  expect([refused.statusCode, refused.json().error.code]).toEqual([429, 'rate_limit_exceeded']);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await get(ADMIN_KEY)).statusCode).not.toBe(429);
  expect((await gateway.inject('/health/live')).statusCode).toBe(200);
  await gateway.close();
});

const limitedConfig = () => ({
  PORT: 0,
  HOST: '127.0.0.1',
  LOG_LEVEL: 'silent' as const,
  NATS_URL: fleet.nats.url,
  TUNEFLEET_IDENTITY_KEY: IDENTITY_KEY,
  TUNEFLEET_DATASET_URL: 'http://127.0.0.1:9',
  TUNEFLEET_TRAINER_URL: 'http://127.0.0.1:9',
  TUNEFLEET_EVALUATOR_URL: 'http://127.0.0.1:9',
  TUNEFLEET_MODEL_REGISTRY_URL: 'http://127.0.0.1:9',
  TUNEFLEET_INFERENCE_URL: 'http://127.0.0.1:9',
});
