import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { ApiError } from '@tunefleet/contracts';
import { Client } from 'minio';
import { type S3TestServer, s3Missing, startS3Server } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { type ObjectStore, openObjectStore } from '../src/index.js';
import { conformance } from './conformance.js';

const missing = s3Missing();
const test = skipUnless(missing === undefined, missing ?? '');
let server: S3TestServer;
let store: ObjectStore;
let client: Client;

const optionsFor = (endpoint: string) => ({
  endpoint,
  region: server.region,
  accessKey: server.accessKeyId,
  secretKey: server.secretAccessKey,
  bucket: server.bucket,
});

beforeAll(async () => {
  if (missing) return;
  server = await startS3Server();
  store = await openObjectStore(optionsFor(server.endpoint));
  const { hostname, port } = new URL(server.endpoint);
  client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    region: server.region,
    accessKey: server.accessKeyId,
    secretKey: server.secretAccessKey,
  });
}, 60_000);

afterAll(async () => server?.close());

const residue = async (): Promise<string[]> => {
  const left = [];
  for await (const { key } of client.listIncompleteUploads(server.bucket, '', true) as AsyncIterable<{ key: string }>) left.push(key);
  return left;
};

describe('S3', () => {
  conformance(test, () => store, residue);

  test('parts of the same key from another, dead attempt are not adopted', async () => {
    const dead = await client.initiateNewMultipartUpload(server.bucket, 'p1/retried', {});
    const config = { bucketName: server.bucket, objectName: 'p1/retried', uploadID: dead, partNumber: 1, headers: {} };
    await client.uploadPart(config, Buffer.alloc(8 * 1024 * 1024, 'x'));
    const stored = await store.put('p1/retried', Readable.from([Buffer.alloc(9 * 1024 * 1024, 'y')]));
    expect(await store.head('p1/retried')).toEqual({ bytes: stored.bytes });
    expect(await store.sweep()).toBe(0); // younger than a day
    expect(await residue()).toEqual(['p1/retried']);
    await client.abortMultipartUpload(server.bucket, 'p1/retried', dead);
  });

  test('a bucket that is absent is made', async () => {
    const fresh = await openObjectStore({ ...optionsFor(server.endpoint), bucket: 'made-at-start' });
    await fresh.put('a/b', Buffer.from('x'));
    expect(await fresh.head('a/b')).toEqual({ bytes: 1 });
    await fresh.delete('a/b');
  });

  test('a completion answered with 200 and an error body is a failure that leaves nothing', async () => {
    const seen: string[] = [];
    const faulty = await proxy((request, response) => {
      const { method, url = '' } = request;
      if (method === 'HEAD') return response.writeHead(url.includes('victim') ? 404 : 200).end();
      seen.push(`${method} ${url.replace(/.*victim/, '')}`);
      request.resume().on('end', () => {
        if (method === 'PUT') response.writeHead(200, { etag: '"e"' }).end();
        else if (method === 'DELETE') response.writeHead(204).end();
        else if (url.includes('uploads'))
          response.end('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>');
        else response.end('<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>');
      });
    });
    const broken = await openObjectStore(optionsFor(faulty.url));
    await expect(broken.put('p1/victim', Readable.from([Buffer.alloc(9 * 1024 * 1024)]))).rejects.toThrow();
    expect(seen.at(-1)).toBe('DELETE ?uploadId=u1');
    expect(seen.filter((line) => line.startsWith('POST ?uploadId'))).toHaveLength(4); // InternalError is tried again
    faulty.close();
  });

  test('a store that is away is service_unavailable, and comes back', async () => {
    if (!server.restartable) return;
    await store.put('p1/durable', Buffer.from('here'));
    await server.stop();
    expect(await store.ready()).toBe(false);
    await expect(store.head('p1/durable')).rejects.toBeInstanceOf(ApiError);
    await expect(store.put('p1/x', Buffer.from('x'))).rejects.toMatchObject({ code: 'service_unavailable' });
    await server.start();
    expect(await store.head('p1/durable')).toEqual({ bytes: 4 });
  }, 30_000);
});

async function proxy(handler: RequestListener): Promise<{ url: string; close: () => void }> {
  const http = createServer(handler);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: () => {
      http.close();
      http.closeAllConnections();
    },
  };
}
