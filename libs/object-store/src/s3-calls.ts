import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@tunefleet/contracts';

const ATTEMPTS = 4;
const BASE_DELAY_MS = 100;
const CALL_MS = 60_000; // a part of 8 MiB at 1 Mbit/s; the package sets no time-out of its own
const TRANSIENT = new Set([
  ...['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['SlowDown', 'InternalError', 'ServiceUnavailable', 'RequestTimeout', 'ERR_CALL_TIMEOUT'],
]);

export const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? '');
export const isMissing = (error: unknown): boolean => ['NoSuchKey', 'NotFound', 'NoSuchObject'].includes(codeOf(error));

/** minio words a 5xx answer as "Retryable HTTP status: 503" and drops its code. */
const isTransient = (error: unknown): boolean =>
  TRANSIENT.has(codeOf(error)) ||
  (error instanceof Error && (error.message.includes('Retryable HTTP status') || error.message === 'socket hang up'));

async function within<T>(run: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error(`no answer in ${CALL_MS} ms`), { code: 'ERR_CALL_TIMEOUT' })), CALL_MS);
  });
  try {
    return await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** minio throws the bare XML element of an error that came with 200. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const { Code, Message } = thrown as { Code?: string; Message?: string };
  return Object.assign(new Error(Message ?? String(thrown)), { code: Code });
}

/** Runs one S3 request (all we send are safe to repeat) up to 4 times; `service_unavailable` when the store stays away. */
export async function s3Call<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await within(run);
    } catch (thrown) {
      const error = asError(thrown);
      if (!isTransient(error)) throw error;
      if (attempt === ATTEMPTS) throw new ApiError('service_unavailable', 'The object store does not answer.', { cause: error });
      await sleep(BASE_DELAY_MS * 2 ** attempt * (0.5 + Math.random()), undefined, signal ? { signal } : {});
    }
  }
}
