import type { Client } from 'minio';
import type { Digest } from './object-store.js';
import { codeOf, s3Call } from './s3-calls.js';
import type { Source } from './source.js';

/** The one part held in memory. S3 wants 5 MiB at least and 10,000 parts at most: objects up to 80 GiB. */
export const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;

type Etag = { part: number; etag: string };

/** Cuts a source into parts of exactly PART_BYTES (some stores demand equal parts), the last one shorter; at least one. */
async function* partsOf(source: Source): AsyncGenerator<Buffer> {
  let part = Buffer.allocUnsafe(PART_BYTES);
  let filled = 0;
  for await (const chunk of source) {
    let from = 0;
    while (from < chunk.length) {
      if (filled === PART_BYTES) {
        yield part;
        part = Buffer.allocUnsafe(PART_BYTES); // not reused: a request that timed out may still be sending the old one
        filled = 0;
      }
      const taken = Math.min(chunk.length - from, PART_BYTES - filled);
      part.set(chunk.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
    }
  }
  yield part.subarray(0, filled);
}

/**
 * One PUT for what fits into a part, else our own multipart loop: `putObject` of minio 8.0.7 adopts other attempts' incomplete
 * uploads of the same key, and never settles when its source fails. The upload id is this attempt's own; any failure aborts it.
 */
export async function putObject(client: Client, bucket: string, key: string, source: Source, signal?: AbortSignal): Promise<Digest> {
  let uploadId = '';
  const etags: Etag[] = [];
  try {
    for await (const part of partsOf(source)) {
      const last = part.length < PART_BYTES;
      if (last && etags.length === 0) {
        await s3Call(() => client.putObject(bucket, key, part, part.length), signal);
        return source.digest();
      }
      if (part.length === 0) break;
      if (etags.length === MAX_PARTS) throw new RangeError(`an object holds at most ${MAX_PARTS * PART_BYTES} bytes`);
      uploadId ||= await s3Call(() => client.initiateNewMultipartUpload(bucket, key, {}), signal);
      const partNumber = etags.length + 1;
      const config = { bucketName: bucket, objectName: key, uploadID: uploadId, partNumber, headers: {} };
      const { etag } = await s3Call(() => client.uploadPart(config, part), signal);
      etags.push({ part: partNumber, etag });
    }
    signal?.throwIfAborted();
    const digest = source.digest();
    await complete(client, bucket, key, uploadId, etags, digest.bytes);
    return digest;
  } catch (error) {
    if (uploadId) await s3Call(() => client.abortMultipartUpload(bucket, key, uploadId)).catch(() => {}); // else `sweep` finds it
    throw error;
  }
}

/** A completion may fail with 200 and an error body, or succeed unheard (then its repeat finds no such upload): the size decides. */
async function complete(client: Client, bucket: string, key: string, uploadId: string, etags: Etag[], bytes: number): Promise<void> {
  try {
    await s3Call(() => client.completeMultipartUpload(bucket, key, uploadId, etags));
  } catch (error) {
    if (codeOf(error) !== 'NoSuchUpload') throw error;
  }
  const { size } = await s3Call(() => client.statObject(bucket, key));
  if (size !== bytes) throw new Error(`multipart upload of ${key} ended with ${size} bytes in place of ${bytes}`);
}
