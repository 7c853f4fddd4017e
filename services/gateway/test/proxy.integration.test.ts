import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as dial } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest } from '@jest/globals';
import { Type } from 'typebox';
import { ADMIN_KEY, errorOf, type Fleet, json, natsIsThere, startFleet, test, until } from './fleet.js';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

let fleet: Fleet;
const seen = { aborted: 0, bytes: 0, posts: 0, buffered: 0 };

beforeAll(async () => {
  if (!natsIsThere) return;
  fleet = await startFleet({
    routes: (service) => {
      void service.register(async (raw) => {
        raw.removeAllContentTypeParsers();
        raw.addContentTypeParser('*', (_request, _payload, done) => done(null));
        raw.post('/v1/files', { config: { seconds: 0 } }, async (request, reply) => {
          request.raw.once('aborted', () => seen.aborted++);
          seen.bytes = 0;
          for await (const chunk of request.raw) seen.bytes += (chunk as Buffer).length;
          return reply.send({ bytes: seen.bytes, type: request.headers['content-type'] });
        });
      });
      service.get('/v1/evals/silent', async (_request, reply) => {
        reply.hijack();
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      });
      service.get('/v1/models/:id', async (request) => ({
        id: (request.params as { id: string }).id,
        url: request.raw.url,
        headers: request.headers,
        identity: request.identity,
        request_id: request.id,
      }));
      service.get('/v1/models', async (_request, reply) => reply.code(418).header('x-own', 'kept').send({ teapot: true }));
      service.post('/v1/fine_tuning/jobs/:id/cancel', async () => ({ cancelled: true }));
      service.post('/v1/fine_tuning/jobs', { schema: { body: Type.Object({ model: Type.String() }) } }, async (request) => request.body);
      service.post('/v1/chat/completions', { schema: { body: Type.Object({ ends: Type.Boolean() }) } }, async (request, reply) => {
        reply.hijack();
        reply.raw.once('close', () => {
          if (!reply.raw.writableFinished) seen.aborted++;
        });
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
        const ends = request.body.ends;
        for (let index = 0; index < (ends ? 3 : 1); index++) {
          reply.raw.write(`data: ${index}\n\n`);
          await sleep(100);
        }
        if (ends) reply.raw.end('data: [DONE]\n\n');
      });
      service.post('/v1/completions', { schema: { body: Type.Object({ begun: Type.Boolean() }) } }, async (request, reply) => {
        seen.posts++;
        reply.hijack();
        // The service dies in the middle of an answer, or before one.
        if (request.body.begun) {
          reply.raw.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
          reply.raw.write('{"half":');
          await sleep(50);
        }
        request.raw.socket.destroy();
      });
    },
  });
});
afterAll(() => fleet?.end());

describe('what passes', () => {
  test('path and query byte for byte: %2F, colons, encoded brackets', async () => {
    const path = '/v1/models/ft:org%2FQwen3-0.6B:acme:suf:abc:ckpt-step-88?metadata%5Bk%5D=a%20b';
    const response = await fleet.call(path);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toMatchObject({ url: path, id: 'ft:org/Qwen3-0.6B:acme:suf:abc:ckpt-step-88' });
  });

  test('the identity is ours alone; credentials end at the gateway; the request id goes along', async () => {
    const response = await fleet.call('/v1/models/a', {
      headers: { 'x-tunefleet-identity': 'forged', 'x-request-id': 'mine', cookie: 'a=b', connection: 'close', 'x-custom': 'kept' },
    });
    const body = (await response.json()) as { headers: Record<string, string>; identity: object; request_id: string };
    expect(body.identity).toEqual({ project: 'default', keyId: 'key_bootstrap', scope: 'admin' });
    expect(body.headers['authorization']).toBeUndefined();
    expect(body.headers['cookie']).toBeUndefined();
    expect(body.headers['x-custom']).toBe('kept');
    expect(body.request_id).toMatch(/^req_/);
    expect(response.headers.get('x-request-id')).toBe(body.request_id);
  });

  test('status and headers of the service, unchanged', async () => {
    const response = await fleet.call('/v1/models');
    expect([response.status, response.headers.get('x-own')]).toEqual([418, 'kept']);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('a POST without body or content type', async () => {
    const response = await fleet.call('/v1/fine_tuning/jobs/ftjob-1/cancel', { method: 'POST' });
    expect(await response.json()).toEqual({ cancelled: true });
  });

  test("errors of the service's own, with their param", async () => {
    const response = await fleet.call('/v1/fine_tuning/jobs', { ...json({}), body: '{"__proto__": 1}' });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ code: 'unknown_parameter', param: '__proto__' });
  });

  test('an upload of 64 MB streams through without being held in memory', async () => {
    const chunk = new Uint8Array(1024 * 1024);
    let sent = 0;
    const before = process.memoryUsage().rss;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 64) controller.enqueue(chunk);
        else controller.close();
      },
    });
    const response = await fleet.call('/v1/files', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body,
      duplex: 'half',
    });
    expect(await response.json()).toEqual({ bytes: 64 * 1024 * 1024, type: 'multipart/form-data; boundary=x' });
    // The client, the gateway and the service are all this process.
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024);
  });

  test('server-sent events arrive as they are sent', async () => {
    const response = await fleet.call('/v1/chat/completions', json({ ends: true }));
    const arrivals: number[] = [];
    let text = '';
    for await (const chunk of response.body!) {
      arrivals.push(performance.now());
      text += new TextDecoder().decode(chunk as Uint8Array);
    }
    expect(text).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\ndata: [DONE]\n\n');
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(150);
  });
});

test('a stream of events is open before its first event', async () => {
  const leaving = new AbortController();
  const response = await fleet.call('/v1/evals/silent', { signal: leaving.signal });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  leaving.abort();
});

describe('what breaks', () => {
  test('a client that hangs up in mid-upload ends the request at the service', async () => {
    const before = seen.aborted;
    const { port } = new URL(fleet.url);
    const upload = httpRequest({
      port,
      method: 'POST',
      path: '/v1/files',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-length': '1000000', 'content-type': 'multipart/form-data; boundary=x' },
    });
    upload.on('error', () => undefined);
    upload.write(Buffer.alloc(100_000));
    await until(() => seen.bytes === 100_000);
    upload.destroy();
    await until(() => seen.aborted === before + 1);
    expect((await fleet.call('/v1/models/a')).status).toBe(200);
  });

  test('a client that leaves a stream ends it at the service', async () => {
    const before = seen.aborted;
    const leaving = new AbortController();
    const response = await fleet.call('/v1/chat/completions', { ...json({ ends: false }), signal: leaving.signal });
    await response.body!.getReader().read();
    leaving.abort();
    await until(() => seen.aborted === before + 1);
  });

  test('a service that dies before it answers is 503 in our shape, and the POST is not sent again', async () => {
    seen.posts = 0;
    const response = await fleet.call('/v1/completions', json({ begun: false }));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    const text = await response.text();
    expect(JSON.parse(text).error).toMatchObject({ code: 'service_unavailable', type: 'server_error', param: null });
    expect(text).not.toMatch(/127\.0\.0\.1|ECONN|hang up/);
    expect(seen.posts).toBe(1);
  });

  test('a service that dies within an answer breaks the connection: half an answer never looks whole', async () => {
    const response = await fleet.call('/v1/completions', json({ begun: true }));
    await expect(response.text()).rejects.toThrow();
  });

  test('a length over the limit is refused before the body is read', async () => {
    const { port } = new URL(fleet.url);
    for (const [path, length, code] of [
      ['/v1/files', 600 * 1024 * 1024, 'file_too_large'],
      ['/v1/fine_tuning/jobs', 1024 * 1024 + 1, 'body_too_large'],
    ] as const) {
      const refused = httpRequest({
        port,
        method: 'POST',
        path,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-length': String(length), 'content-type': 'application/json' },
      });
      refused.on('error', () => undefined);
      refused.write('{');
      const [response] = (await once(refused, 'response')) as [IncomingMessage];
      let text = '';
      for await (const chunk of response) text += String(chunk);
      expect([response.statusCode, JSON.parse(text).error.code]).toEqual([413, code]);
      refused.destroy();
    }
  });

  test('a body that grows over the limit without saying so is refused too', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 3) controller.enqueue(new Uint8Array(512 * 1024));
        else controller.close();
      },
    });
    const response = await fleet.call('/v1/fine_tuning/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      duplex: 'half',
    });
    expect([response.status, (await errorOf(response)).code]).toEqual([413, 'body_too_large']);
  });

  test('two lengths in one request (smuggling) never reach a service', async () => {
    const socket = dial(Number(new URL(fleet.url).port), '127.0.0.1');
    const key = `Authorization: Bearer ${ADMIN_KEY}`;
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nHost: x\r\n${key}\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    seen.posts = 0;
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400/);
    expect(seen.posts).toBe(0);
    socket.destroy();
  });
});

test('a service that is down is 503 with retry-after, and the gateway lives', async () => {
  const down = await startFleet({ routes: () => undefined, config: { TUNEFLEET_TRAINER_URL: 'http://127.0.0.1:9' } });
  try {
    const response = await down.call('/v1/fine_tuning/jobs');
    expect([response.status, response.headers.get('retry-after'), (await errorOf(response)).code]).toEqual([
      503,
      '1',
      'service_unavailable',
    ]);
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    expect((await down.call('/health/ready')).status).toBe(200);
  } finally {
    await down.end();
  }
});
