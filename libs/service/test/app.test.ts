import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiError, IDENTITY_HEADER, signIdentity } from '@tunefleet/contracts';
import { Type } from 'typebox';
import { type App, createApp } from '../src/app.js';
import { listOf } from '../src/lists.js';
import { createLogger } from '../src/logger.js';

const key = 'k'.repeat(32);
const as = (scope: 'read' | 'write' | 'admin') => ({ [IDENTITY_HEADER]: signIdentity({ project: 'default', keyId: 'key_1', scope }, key) });
const Body = Type.Object({
  name: Type.String({ minLength: 1 }),
  seed: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
  method: Type.Optional(Type.Object({ supervised: Type.Optional(Type.Object({ n_epochs: Type.Optional(Type.Integer()) })) })),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
});

let app: App;
let ready = true;
beforeEach(async () => {
  ready = true;
  app = await createApp({
    name: 'test',
    config: { TUNEFLEET_IDENTITY_KEY: key },
    logger: createLogger('test', 'silent'),
    title: 'Test',
    checks: { nats: () => ready },
    checkResponses: true,
    handlerSeconds: 0.2,
  });
  app.post('/v1/things', { schema: { body: Body } }, async (request) => request.body);
  app.post('/v1/things/:id/cancel', async (request) => ({ body: request.body ?? null }));
  app.get(
    '/v1/things',
    { schema: { querystring: Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }) }) } },
    async (request) => ({
      ...listOf([{ id: 'a' }, { id: 'b' }], { limit: 1 }),
      query: request.query,
    }),
  );
  app.get('/v1/things/:id', async (request) => ({ id: (request.params as { id: string }).id, identity: request.identity }));
  app.post('/v1/admin', { config: { scope: 'admin' } }, async () => ({}));
  app.get('/v1/crash', async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.7:4222');
  });
  app.get('/v1/away', async () => {
    throw new ApiError('service_unavailable', 'trainer does not answer');
  });
  app.get('/v1/slow', async () => new Promise(() => undefined));
  app.get('/v1/undeclared', { schema: { response: { 200: Type.Object({ a: Type.Integer() }) } } }, async () => ({ a: 1, secret: 2 }));
});
afterEach(() => app.close());

const post = (url: string, payload?: string | object, headers: Record<string, string> = {}) =>
  app.inject({ method: 'POST', url, headers: { ...as('write'), ...headers }, ...(payload === undefined ? {} : { payload }) });
const errorOf = (response: { json: () => { error: unknown } }) => response.json().error;

describe('bodies are taken strictly', () => {
  test.each([
    [{ name: 'a', foo: 1 }, 'unknown_parameter', 'foo'],
    [{ name: 'a', method: { supervised: { foo: 1 } } }, 'unknown_parameter', 'method.supervised.foo'],
    [{ name: 1 }, 'invalid_type', 'name'],
    [{ name: '' }, 'invalid_value', 'name'],
    [{}, 'missing_required_parameter', 'name'],
    [{ name: 'a', seed: '3' }, 'invalid_type', 'seed'],
    [{ name: 'a', seed: -1 }, 'invalid_value', 'seed'],
    [{ name: 'a', metadata: { a: 1 } }, 'invalid_type', 'metadata.a'],
    [[], 'invalid_type', null],
  ])('%j is %s at %s', async (payload, code, param) => {
    const response = await post('/v1/things', payload);
    expect(response.statusCode).toBe(400);
    expect(errorOf(response)).toMatchObject({ code, param, type: 'invalid_request_error' });
  });

  test('null stays null and nothing is coerced or removed', async () => {
    const response = await post('/v1/things', { name: 'a', seed: null, metadata: { a: 'b' } });
    expect(response.json()).toEqual({ name: 'a', seed: null, metadata: { a: 'b' } });
  });

  test.each([
    ['{"name":', 'invalid_json', null],
    ['{"name":"a","metadata":{"__proto__":"x"}}', 'unknown_parameter', 'metadata.__proto__'],
    ['{"name":"a","\\u005f_proto__":{}}', 'unknown_parameter', '__proto__'],
    ['{"name":"a","metadata":{"constructor":{"prototype":{}}}}', 'unknown_parameter', 'metadata.constructor'],
    [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'invalid_value', null],
  ])('%.60s is %s', async (payload, code, param) => {
    const response = await post('/v1/things', payload, { 'content-type': 'application/json' });
    expect(response.statusCode).toBe(400);
    expect(errorOf(response)).toMatchObject({ code, param });
  });

  test('bytes that are not UTF-8 are invalid_json', async () => {
    const response = await app.inject({
      method: 'POST',
      url: '/v1/things',
      headers: { ...as('write'), 'content-type': 'application/json' },
      payload: Buffer.from([0x7b, 0xff, 0x7d]),
    });
    expect(errorOf(response)).toMatchObject({ code: 'invalid_json' });
  });

  test('other content types are 415, larger bodies 413', async () => {
    const text = await post('/v1/things', 'a=1', { 'content-type': 'text/plain' });
    expect([text.statusCode, text.json().error.code]).toEqual([415, 'unsupported_media_type']);
    const large = await post('/v1/things', { name: 'x'.repeat(1024 * 1024) });
    expect([large.statusCode, large.json().error.code]).toEqual([413, 'body_too_large']);
  });

  test('a POST without body or content type is taken; a key on a route without body is refused', async () => {
    expect((await post('/v1/things/a/cancel')).json()).toEqual({ body: null });
    expect((await post('/v1/things/a/cancel', '', { 'content-type': 'application/json' })).statusCode).toBe(200);
    expect(errorOf(await post('/v1/things/a/cancel', { foo: 1 }))).toMatchObject({ code: 'unknown_parameter', param: 'foo' });
  });
});

describe('query strings', () => {
  const get = (url: string) => app.inject({ url, headers: as('read') });
  test('text becomes numbers, defaults are filled in, nested keys are nested', async () => {
    expect((await get('/v1/things?limit=5')).json().query).toEqual({ limit: 5 });
    expect((await get('/v1/things?metadata%5Bk%5D=v')).json().query).toEqual({ limit: 20, metadata: { k: 'v' } });
    expect((await get('/v1/things?metadata=')).json().query).toEqual({ limit: 20, metadata: '' });
  });
  test.each([
    ['limit=abc', 'invalid_type'],
    ['limit=', 'invalid_type'],
    ['limit=0', 'invalid_value'],
    ['limit=1&limit=2', 'invalid_type'],
  ])('%s is %s', async (query, code) => {
    expect(errorOf(await get(`/v1/things?${query}`))).toMatchObject({ code, param: 'limit' });
  });
});

describe('answers', () => {
  const get = (url: string) => app.inject({ url, headers: as('read') });
  test('unknown routes, other methods, long ids', async () => {
    expect(errorOf(await get('/v1/nothing'))).toMatchObject({ code: 'unknown_url' });
    const patch = await app.inject({ method: 'PATCH', url: '/v1/things', headers: as('write') });
    expect([patch.statusCode, patch.headers['allow'], patch.json().error.code]).toEqual([405, 'POST, GET', 'method_not_allowed']);
    const id = `ft:${'x'.repeat(900)}`;
    expect((await get(`/v1/things/${id}`)).json().id).toBe(id);
    expect(errorOf(await get(`/v1/things/${'x'.repeat(1100)}`))).toMatchObject({ code: 'unknown_url' });
  });
  test('an internal error says nothing of its cause', async () => {
    const response = await get('/v1/crash');
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('ECONNREFUSED');
    expect(response.json().error).toMatchObject({ code: 'internal_error', type: 'server_error' });
  });
  test('a service that is away says when to come back', async () => {
    const response = await get('/v1/away');
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  });
  test('a handler over its time is given up with 503', async () => {
    expect((await get('/v1/slow')).json().error.code).toBe('service_unavailable');
  });
  test('a field that the response schema lacks is an error in tests, never dropped', async () => {
    expect((await get('/v1/undeclared')).statusCode).toBe(500);
  });
  test('the request id is handed on or minted, and on every answer', async () => {
    const handed = await app.inject({ url: '/v1/nothing', headers: { 'x-request-id': 'req_abc' } });
    expect(handed.headers['x-request-id']).toBe('req_abc');
    const forged = await app.inject({ url: '/v1/nothing', headers: { 'x-request-id': 'a b\n' } });
    expect(forged.headers['x-request-id']).toMatch(/^req_\w{24}$/);
  });
  test('without identity nothing but probes, metrics and OpenAPI; scopes are held', async () => {
    expect((await app.inject({ url: '/v1/things' })).statusCode).toBe(401);
    expect((await app.inject({ method: 'POST', url: '/v1/things', headers: as('read') })).json().error.code).toBe('insufficient_scope');
    expect((await app.inject({ method: 'POST', url: '/v1/admin', headers: as('write') })).statusCode).toBe(403);
    expect((await app.inject({ method: 'POST', url: '/v1/admin', headers: as('admin') })).statusCode).toBe(200);
  });
});

describe('probes, metrics, OpenAPI', () => {
  test('ready follows the checks and fails while draining; live does not', async () => {
    expect((await app.inject('/health/ready')).json()).toEqual({ status: 'ok', checks: { nats: true } });
    ready = false;
    expect((await app.inject('/health/ready')).statusCode).toBe(503);
    ready = true;
    app.drain();
    expect((await app.inject('/health/ready')).json().status).toBe('draining');
    expect((await app.inject('/health/live')).statusCode).toBe(200);
  });
  test('metrics count by route pattern', async () => {
    await app.inject({ url: '/v1/things/abc', headers: as('read') });
    const { body } = await app.inject('/metrics');
    expect(body).toContain('tunefleet_http_requests_total{method="GET",route="/v1/things/:id",status="200"} 1');
    expect(body).toContain('process_resident_memory_bytes');
  });
  test('the OpenAPI document shows bodies closed', async () => {
    const document = (await app.inject('/openapi.json')).json();
    const body = document.paths['/v1/things'].post.requestBody.content['application/json'].schema;
    expect(body.additionalProperties).toBe(false);
    expect(body.properties.method.additionalProperties).toBe(false);
    expect(document.paths['/health/live']).toBeUndefined();
  });
});
