import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from '@jest/globals';
import { createApp } from '../src/app.js';
import { createLogger } from '../src/logger.js';
import { type SignedStore, signedObjects } from '../src/signed-objects.js';

const start = async (store: SignedStore) => {
  const app = await createApp({
    name: 'test',
    config: { TUNEFLEET_IDENTITY_KEY: 'k'.repeat(32) },
    logger: createLogger('test', 'silent'),
    title: 'Test',
    checks: {},
  });
  signedObjects(app, store);
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) };
};

test('a store that handles its own URLs gets the raw request: path undecoded, body a stream over the limit of JSON', async () => {
  const { app, url } = await start({
    async handle(request: IncomingMessage, response: ServerResponse) {
      if (request.url?.includes('broken')) throw new Error('disk');
      let bytes = 0;
      for await (const chunk of request) bytes += (chunk as Buffer).length;
      response.end(`${request.method} ${request.url} ${bytes}`);
    },
  });
  try {
    const put = await fetch(`${url}/objects/a/b%2Fc?signature=x`, { method: 'PUT', body: new Uint8Array(2_000_000) });
    expect(await put.text()).toBe('PUT /objects/a/b%2Fc?signature=x 2000000');
    await expect(fetch(`${url}/objects/broken`)).rejects.toThrow();
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  } finally {
    await app.close();
  }
});

test('without it there is no such route', async () => {
  const { app, url } = await start({});
  expect((await fetch(`${url}/objects/a`)).status).toBe(404);
  await app.close();
});
