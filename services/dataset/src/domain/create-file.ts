import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, LIMITS, mintId } from '@tunefleet/contracts';
import type { Digest } from '@tunefleet/object-store';
import { createOnce } from '@tunefleet/records';
import { onceRequest } from '@tunefleet/service';
import type { FastifyRequest } from 'fastify';
import type { FileRecord } from '../store/schemas.js';
import { submitCheck } from './check.js';
import { hasRows } from './files.js';
import { intendToStore, settle } from './intents.js';
import { type Parts, seconds } from './parts.js';
import { readUploadForm, type UploadForm } from './upload-form.js';

const DRAIN_MS = 5000;

/** Streams the bytes to the store; 413 `file_too_large` as soon as they are too many. */
async function storeBytes(
  { objects }: Parts,
  key: string,
  stream: Readable & { truncated?: boolean },
  signal: AbortSignal,
): Promise<Digest> {
  const tooLarge = () => new ApiError('file_too_large', `A file holds at most ${LIMITS.fileBytes} bytes.`, { param: 'file' });
  const limit = new AbortController();
  stream.once('limit', () => limit.abort(tooLarge()));
  try {
    const digest = await objects.put(key, stream, { signal: AbortSignal.any([signal, limit.signal]) });
    if (stream.truncated || digest.bytes > LIMITS.fileBytes) throw tooLarge();
    return digest;
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : error;
  }
}

/** The fields and each file's name and sha256, never the boundary: the SDK makes a new one for each retry. */
function bodyHash({ fields, file }: UploadForm<Digest>): string {
  return createHash('sha256')
    .update(JSON.stringify([fields, file.filename, file.stored.sha256]))
    .digest('hex');
}

/** An answer sent while the client still writes would be lost to a reset: what is under way is read to its end, for a while. */
async function drain({ raw }: FastifyRequest): Promise<void> {
  if (raw.readableEnded || raw.destroyed) return;
  raw.unpipe();
  raw.resume();
  const ended = new Promise((resolve) => raw.once('end', resolve).once('close', resolve));
  await Promise.race([ended, sleep(DRAIN_MS, undefined, { ref: false })]);
}

/** Makes the record, or finds the one that the same request made before. */
const record = ({ store, bus }: Parts, request: FastifyRequest, form: UploadForm<Digest>, candidate: { id: string; key: string }) =>
  createOnce(
    bus,
    onceRequest(request, bodyHash(form)),
    () => candidate.id,
    async (id) => {
      const { purpose, expiresAfter, file } = form;
      const { project } = request.identity;
      const created_at = seconds();
      const { value } = await store.files.create({
        ...{ id, project, created_at, schema: 1, key: candidate.key, purpose },
        ...{ filename: file.filename, bytes: file.stored.bytes, sha256: file.stored.sha256 },
        expires_at: expiresAfter === null ? null : created_at + expiresAfter,
        ...{ status: hasRows(purpose) ? 'uploaded' : 'processed', status_details: null, report: null },
      });
      return value;
    },
  );

/**
 * One upload. Bytes go straight to their final key under an intent; the record makes them a file. A request sent again finds the first
 * one's record, and its own bytes go. Whatever fails, nothing is left behind.
 */
export async function createFile(parts: Parts, request: FastifyRequest): Promise<FileRecord> {
  const { store, logger } = parts;
  const { project } = request.identity;
  const id = mintId('file');
  const key = `${project}/files/${id}`;
  const gone = new AbortController();
  request.raw.once('close', () => {
    if (!request.raw.complete) gone.abort(new Error('the client hung up'));
  });
  const intent = await intendToStore(store, project, key);
  const settled = () => settle(parts, intent).catch((error: unknown) => logger.warn({ err: error }, 'an upload is left to the sweeper'));
  let form: UploadForm<Digest>;
  try {
    form = await readUploadForm(request, (stream) => storeBytes(parts, key, stream, gone.signal));
  } catch (error) {
    await settled();
    await drain(request);
    throw error;
  }
  let file: FileRecord;
  try {
    file = await record(parts, request, form, { id, key });
  } catch (error) {
    // A refusal made no record. After any other failure there may be one: only the sweeper, hours later, knows whether the bytes may go.
    if (error instanceof ApiError && error.status < 500) await settled();
    throw error;
  }
  if (file.status === 'uploaded') await submitCheck(parts, file);
  await settled();
  return file;
}
