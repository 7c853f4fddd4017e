import { afterAll, beforeAll, describe, expect, jest } from '@jest/globals';
import OpenAI from 'openai';
import { Type } from 'typebox';
import { ADMIN_KEY, errorOf, type Fleet, json, natsIsThere, startFleet, test } from './fleet.js';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

let fleet: Fleet;
beforeAll(async () => {
  if (!natsIsThere) return;
  fleet = await startFleet({
    routes: (service) => {
      service.get('/v1/files', { schema: { summary: 'List files', response: { 200: Type.Object({}) } } }, async () => ({}));
      service.get('/v1/models/:id', async (request) => ({
        id: (request.params as { id: string }).id,
        object: 'model',
        created: 1,
        owned_by: 'x',
      }));
    },
  });
});
afterAll(() => fleet?.end());

describe('areas that are not built are refused by name', () => {
  test.each([
    ['POST', '/v1/uploads'],
    ['POST', '/v1/uploads/upload_1/parts'],
    ['POST', '/v1/uploads/upload_1/complete'],
    ['GET', '/v1/fine_tuning/checkpoints/ft:a:b::c:ckpt-step-1/permissions'],
    ['POST', '/v1/fine_tuning/alpha/graders/run'],
  ])('%s %s', async (method, path) => {
    const init = method === 'POST' ? json({ anything: 1 }) : {};
    const response = await fleet.call(path, init);
    expect([response.status, (await errorOf(response)).code]).toEqual([400, 'not_supported']);
    expect((await fleet.call(path, { ...init, key: null })).status).toBe(401);
  });
});

test.each(['/v1/nothing', '/v1/filesystem', '/v1/modelsx', '/', '/v1', '/v1/files/%zz'])('%s is unknown_url', async (path) => {
  const response = await fleet.call(path);
  expect([response.status, (await errorOf(response)).code]).toEqual([404, 'unknown_url']);
  expect(response.headers.get('x-request-id')).toMatch(/^req_/);
});

test("OpenAI's own client: %2F in ids, errors by class with the request id", async () => {
  const client = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 });
  expect((await client.models.retrieve('ft:org/Qwen3-0.6B:acme:suf:abc')).id).toBe('ft:org/Qwen3-0.6B:acme:suf:abc');
  const refused = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: 'wrong', maxRetries: 0 });
  const error = await refused.models.retrieve('a').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
  expect(error).toMatchObject({ code: 'invalid_api_key', requestID: expect.stringMatching(/^req_/) });
});

test('probes and metrics', async () => {
  expect(await (await fleet.call('/health/ready', { key: null })).json()).toEqual({ status: 'ok', checks: { nats: true, keys: true } });
  const metrics = await (await fleet.call('/metrics', { key: null })).text();
  expect(metrics).toMatch(/tunefleet_http_requests_total\{method="GET",route="\/v1\/models\/\*",status="200"\} \d/);
  expect(metrics).not.toContain('Qwen3');
});

test("/openapi.json is the fleet's", async () => {
  const document = (await (await fleet.call('/openapi.json', { key: null })).json()) as { paths: Record<string, object> };
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/v1/api_keys', '/v1/api_keys/{id}', '/v1/files', '/v1/models/{id}']),
  );
  expect(Object.keys(document.paths).join()).not.toMatch(/health|docs|metrics/);
});

test('/docs and its files; nothing else of the folder', async () => {
  const page = await fleet.call('/docs', { key: null });
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js', 'start.js'])
    expect((await fleet.call(`/docs/${file}`, { key: null })).status).toBe(200);
  expect((await fleet.call('/docs/../package.json', { key: null })).status).toBe(404);
  expect((await fleet.call('/docs/%2e%2e%2fpackage.json', { key: null })).status).toBe(404);
});
