import { createHash } from 'node:crypto';
import { ApiError, type OnceRequest } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { compareAndSet } from './compare-and-set.js';
import { openDayBucket } from './day-bucket.js';

interface Entry {
  id: string;
  bodyHash: string;
}

/**
 * Every creating POST goes through here, so that a request sent again creates nothing again. The id is minted and kept (24 h) before
 * anything is made under it; a repeat gets the first one's id.
 *
 * A repeat is known by its `Idempotency-Key` (with another body: 422 `idempotency_conflict`), or by `x-stainless-retry-count` above 0 and the same
 * body from the same API key. A request without either always mints: two equal jobs can be meant.
 *
 * @param finish makes what is not there yet under the id, or finds it; it must be idempotent by id. `fresh`: the id was minted just now
 */
export async function createOnce<T>(
  bus: Bus,
  request: OnceRequest,
  mint: () => string,
  finish: (id: string, fresh: boolean) => Promise<T>,
): Promise<T> {
  const bucket = await openDayBucket(bus);
  const { project, keyId, method, path, bodyHash, idempotencyKey, retryCount } = request;
  const known = idempotencyKey === null ? ['body', project, keyId, method, path, bodyHash] : ['key', project, method, path, idempotencyKey];
  const always = idempotencyKey === null && retryCount === 0;
  let minted: string | null = null;
  const { current, written } = await compareAndSet(
    bucket,
    `once.${createHash('sha256').update(known.join('\0')).digest('hex')}`,
    (envelope) => {
      if (envelope && !always) return null;
      minted ??= mint();
      return { value: { id: minted, bodyHash } satisfies Entry };
    },
  );
  const entry = current.envelope!.value as Entry;
  if (entry.bodyHash !== bodyHash)
    throw new ApiError('idempotency_conflict', 'This Idempotency-Key was used with another body. Use a new key for a new request.');
  return finish(entry.id, written);
}
