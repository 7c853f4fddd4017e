import { addAbortSignal, type Readable } from 'node:stream';
import type { Client } from 'minio';
import { checkKey, checkPrefix, checkSeconds } from './keys.js';
import { ObjectMissing, type ObjectStore } from './object-store.js';
import { codeOf, isMissing, s3Call } from './s3-calls.js';
import { putObject } from './s3-put.js';
import { Source } from './source.js';

const INCOMPLETE_MS = 86_400_000; // no upload of ours takes a day
const DELETES = 16; // requests at a time

export interface S3Options {
  /** `http(s)://host[:port]` */
  endpoint: string;
  region: string;
  accessKey: string;
  secretKey: string;
  bucket: string;
}

/** A bucket of any S3 server that knows put, get with ranges, head, list v2, delete, multipart and presigned URLs. */
export async function openS3Store({ endpoint, region, accessKey, secretKey, bucket }: S3Options): Promise<ObjectStore> {
  const { Client } = await import('minio'); // 22 MB: only where S3 is used
  const { protocol, hostname, port } = new URL(endpoint);
  const client = new Client({
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    ...(port ? { port: Number(port) } : {}),
    useSSL: protocol === 'https:',
    region, // else each bucket costs a location call
    accessKey,
    secretKey,
    pathStyle: true,
    retryOptions: { disableRetry: true }, // its own drops the error's code; `s3Call` repeats
  });

  const store: ObjectStore = {
    async put(key, source, { signal } = {}) {
      const input = new Source(source, signal);
      try {
        return await putObject(client, bucket, checkKey(key), input, signal);
      } finally {
        input.destroy();
      }
    },

    async get(key, { start = 0, end, signal } = {}) {
      checkKey(key);
      try {
        const stream: Readable = await s3Call(
          () =>
            end === undefined && start === 0
              ? client.getObject(bucket, key)
              : client.getPartialObject(bucket, key, start, end === undefined ? 0 : end - start + 1),
          signal,
        );
        return signal ? addAbortSignal(signal, stream) : stream;
      } catch (error) {
        throw isMissing(error) ? new ObjectMissing(key) : error;
      }
    },

    async head(key) {
      try {
        const { size } = await s3Call(() => client.statObject(bucket, checkKey(key)));
        return { bytes: size };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },

    list: (prefix) => listObjects(client, bucket, prefix === '' ? '' : checkPrefix(prefix)),

    delete: (key) => s3Call(() => client.removeObject(bucket, checkKey(key))),

    async deletePrefix(prefix) {
      const running = new Set<Promise<void>>();
      for await (const { key } of listObjects(client, bucket, checkPrefix(prefix))) {
        const removal = s3Call(() => client.removeObject(bucket, key)).finally(() => running.delete(removal));
        running.add(removal);
        if (running.size >= DELETES) await Promise.race(running);
      }
      await Promise.all(running);
    },

    sign: (method, key, seconds) => client.presignedUrl(method, bucket, checkKey(key), checkSeconds(seconds)),

    async ready() {
      try {
        if (await client.bucketExists(bucket)) return true;
        await client.makeBucket(bucket, region);
        return true;
      } catch (error) {
        return codeOf(error) === 'BucketAlreadyOwnedByYou';
      }
    },

    async sweep() {
      let swept = 0;
      for await (const { key, uploadId, initiated } of client.listIncompleteUploads(bucket, '', true) as AsyncIterable<Incomplete>) {
        if (Date.now() - new Date(initiated).getTime() < INCOMPLETE_MS) continue;
        await s3Call(() => client.abortMultipartUpload(bucket, key, uploadId));
        swept += 1;
      }
      return swept;
    },
  };
  await store.ready(); // makes the bucket where it may; a store that is away shows in readiness
  return store;
}

type Incomplete = { key: string; uploadId: string; initiated: Date };
type Listed = { name?: string; size: number; lastModified: Date };

async function* listObjects(client: Client, bucket: string, prefix: string) {
  for await (const { name, size, lastModified } of client.listObjectsV2(bucket, prefix, true) as AsyncIterable<Listed>) {
    if (name && !name.endsWith('/')) yield { key: name, bytes: size, modified: lastModified };
  }
}
