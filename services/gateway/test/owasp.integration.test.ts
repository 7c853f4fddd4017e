// OWASP API Security Top 10 (2023), as far as each item is the gateway's affair.

import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, jest } from '@jest/globals';
import { Type } from 'typebox';
import { ADMIN_KEY, errorOf, type Fleet, json, natsIsThere, startFleet, test } from './fleet.js';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

let fleet: Fleet;
const files = new Map([['file-acme', 'acme']]);
let calls = 0;
beforeAll(async () => {
  if (!natsIsThere) return;
  fleet = await startFleet({
    routes: (service) => {
      service.get('/v1/files/:id', async (request) => {
        calls++;
        const { id } = request.params as { id: string };
        return { id, mine: files.get(id) === request.identity.project };
      });
      service.post('/v1/fine_tuning/jobs', { schema: { body: Type.Object({ model: Type.String() }) } }, async () => ({ ok: true }));
      service.put('/v1/model_aliases/:name/gate', { config: { scope: 'admin' } }, async () => ({ ok: true }));
    },
  });
});
afterAll(() => fleet?.end());

const codeOf = async (response: Response) => [response.status, response.ok ? null : (await errorOf(response)).code];

describe('API1 Broken object level authorization', () => {
  test('the project comes from the key alone, whatever headers say', async () => {
    const { key } = await fleet.key('intruder', 'write');
    const spoofed = { 'x-tunefleet-identity': 'e30.AAAA', 'x-project': 'acme', 'openai-project': 'unheard-of' };
    const response = await fleet.call('/v1/files/file-acme', { key, headers: spoofed });
    expect(await response.json()).toEqual({ id: 'file-acme', mine: false });
  });
  test("another project's API key is a 404 to its admin, and not listed", async () => {
    const victim = await fleet.key('acme', 'read');
    const { key } = await fleet.key('intruder', 'admin');
    expect(await codeOf(await fleet.call(`/v1/api_keys/${victim.id}`, { method: 'DELETE', key }))).toEqual([404, 'key_not_found']);
    expect(await (await fleet.call('/v1/api_keys?project=acme', { key })).json()).toMatchObject({ data: [] });
    expect(fleet.keys.find(victim.id)).not.toBeNull();
  });
});

describe('API2 Broken authentication', () => {
  test.each([
    ['none', {}],
    ['empty', { authorization: 'Bearer ' }],
    ['two words', { authorization: `Bearer a ${ADMIN_KEY}` }],
    ['in the query', {}],
    ['another header', { 'x-api-key': ADMIN_KEY }],
    ['prefix of a real one', { authorization: `Bearer ${ADMIN_KEY.slice(0, -1)}` }],
  ])('%s is 401 and never reaches a service', async (_name, headers) => {
    calls = 0;
    const response = await fleet.call(`/v1/files/x?api_key=${ADMIN_KEY}`, { key: null, headers: headers as Record<string, string> });
    expect(await codeOf(response)).toEqual([401, 'invalid_api_key']);
    expect(calls).toBe(0);
  });
  test('guessing is slowed down by address, while right keys go on', async () => {
    const guess = () => fleet.call('/v1/files/x', { key: 'guess-guess-guess' });
    let refused = await guess();
    for (let count = 0; count < 320 && refused.status === 401; count++) {
      await refused.arrayBuffer();
      refused = await guess();
    }
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await codeOf(refused)).toEqual([429, 'rate_limit_exceeded']);
    expect((await fleet.call('/v1/files/x')).status).toBe(200);
  });
  test('what is stored of a key opens nothing', async () => {
    const { id } = await fleet.key('acme', 'read');
    const { hash } = (await fleet.keys.get(id))!.value;
    expect((await fleet.call('/v1/files/x', { key: hash })).ok).toBe(false);
  });
});

describe('API3 Broken object property level authorization', () => {
  test.each([{ hash: 'a'.repeat(64) }, { id: 'key_bootstrap' }, { created_at: 1 }])('a key cannot be made with %j', async (extra) => {
    const response = await fleet.call('/v1/api_keys', json({ project: 'acme', scope: 'read', ...extra }));
    expect(await errorOf(response)).toMatchObject({ code: 'unknown_parameter', param: Object.keys(extra)[0] });
  });
});

describe('API4 Unrestricted resource consumption', () => {
  test('lists have a bound', async () => {
    expect(await errorOf(await fleet.call('/v1/api_keys?limit=100000'))).toMatchObject({ code: 'invalid_value', param: 'limit' });
  });
  test('bodies have a bound, and so has their nesting', async () => {
    expect(await codeOf(await fleet.call('/v1/api_keys', json({ project: 'x'.repeat(1024 * 1024), scope: 'read' })))).toEqual([
      413,
      'body_too_large',
    ]);
    const deep = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '['.repeat(100_000) + ']'.repeat(100_000) };
    expect(await codeOf(await fleet.call('/v1/api_keys', deep))).toEqual([400, 'invalid_value']);
  });
});

describe('API5 Broken function level authorization', () => {
  test.each(['read', 'write'] as const)('a key of scope %s manages no keys', async (scope) => {
    const { key } = await fleet.key('acme', scope);
    for (const [method, path] of [
      ['POST', '/v1/api_keys'],
      ['GET', '/v1/api_keys'],
      ['DELETE', '/v1/api_keys/key_bootstrap'],
    ] as const) {
      const init = method === 'POST' ? json({ project: 'acme', scope: 'admin' }) : { method };
      expect(await codeOf(await fleet.call(path, { ...init, key }))).toEqual([403, 'insufficient_scope']);
    }
  });
  test("a project's admin makes no key for another project", async () => {
    const { key } = await fleet.key('acme', 'admin');
    expect(await codeOf(await fleet.call('/v1/api_keys', { ...json({ project: 'default', scope: 'admin' }), key }))).toEqual([
      403,
      'insufficient_scope',
    ]);
    expect((await fleet.call('/v1/api_keys', { ...json({ project: 'acme', scope: 'read' }), key })).status).toBe(200);
  });
  test("a service's own scopes hold behind the gateway", async () => {
    const read = await fleet.key('acme', 'read');
    const write = await fleet.key('acme', 'write');
    expect(await codeOf(await fleet.call('/v1/fine_tuning/jobs', { ...json({ model: 'a' }), key: read.key }))).toEqual([
      403,
      'insufficient_scope',
    ]);
    expect((await fleet.call('/v1/fine_tuning/jobs', { ...json({ model: 'a' }), key: write.key })).status).toBe(200);
    expect(await codeOf(await fleet.call('/v1/model_aliases/a/gate', { method: 'PUT', key: write.key }))).toEqual([
      403,
      'insufficient_scope',
    ]);
  });
});

describe('API6 Unrestricted access to sensitive business flows', () => {
  test('a repeated creation with one Idempotency-Key is one key; with another body it is refused', async () => {
    const send = (body: object) => {
      const init = json(body);
      return fleet.call('/v1/api_keys', { ...init, headers: { ...init.headers, 'idempotency-key': 'once' } });
    };
    const first = (await (await send({ project: 'idem', scope: 'read' })).json()) as { id: string };
    expect(await (await send({ project: 'idem', scope: 'read' })).json()).toMatchObject({ id: first.id });
    expect(await codeOf(await send({ project: 'idem', scope: 'write' }))).toEqual([422, 'idempotency_conflict']);
  });
});

describe('API7 Server side request forgery', () => {
  test.each(['//169.254.169.254/latest', '/v1/files/../../metrics', '/v1/files/%2e%2e/%2e%2e/metrics', 'http://169.254.169.254/v1/files'])(
    'a request for %s goes nowhere but to the service of its prefix',
    async (path) => {
      // fetch would tidy the path up.
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const asked = httpRequest({ port: new URL(fleet.url).port, path, headers }).end();
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      let body = '';
      for await (const chunk of response) body += chunk;
      expect(response.statusCode).toBeGreaterThanOrEqual(400);
      expect(body).toMatch(/"code":"(unknown_url|invalid_value)"/);
    },
  );
  test('Host and forwarding headers choose nothing', async () => {
    const response = await fleet.call('/v1/files/x', { headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' } });
    expect(response.status).toBe(200);
  });
});

describe('API8 Security misconfiguration', () => {
  test('headers that browsers obey, and none that tells what runs here', async () => {
    const response = await fleet.call('/v1/files/x');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN');
    for (const header of ['server', 'x-powered-by', 'x-tunefleet-identity', 'set-cookie', 'access-control-allow-origin'])
      expect(response.headers.get(header)).toBeNull();
  });
  test('errors carry no stack, address or path', async () => {
    for (const path of ['/v1/files/%zz', '/v1/nothing', '/v1/api_keys?limit=x'])
      expect(await (await fleet.call(path)).text()).not.toMatch(/at \w+|node_modules|127\.0\.0\.1/);
  });
  test('TRACE and CONNECT are no methods here', async () => {
    for (const method of ['TRACE', 'CONNECT']) {
      const outcome = await fleet.gateway.inject({
        method: method as 'GET',
        url: '/v1/files/x',
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      expect(outcome.statusCode).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('API9 Improper inventory management', () => {
  test('every route that answers is in the document, or is a probe or a page', async () => {
    const { paths } = (await (await fleet.call('/openapi.json')).json()) as { paths: Record<string, object> };
    expect(Object.keys(paths).sort()).toEqual(
      ['/v1/api_keys', '/v1/api_keys/{id}', '/v1/files/{id}', '/v1/fine_tuning/jobs', '/v1/model_aliases/{name}/gate'].sort(),
    );
  });
});

describe('API10 Unsafe consumption of APIs', () => {
  test("a service's answer sets no cookie and no request id of its own", async () => {
    const response = await fleet.call('/v1/files/x');
    expect(response.headers.get('x-request-id')).toMatch(/^req_\w{24}$/);
    expect(response.headers.get('set-cookie')).toBeNull();
  });
});
