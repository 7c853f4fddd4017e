import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@tunefleet/contracts';
import type { Bucket } from './bucket.js';

/** What is stored under a key. A null value is the tombstone of a deleted record. */
export interface Envelope {
  /** Operation ids of the last writes, newest first: a write that reported failure and is found here has succeeded. */
  ops: string[];
  value: unknown;
  tombstone?: { id: string; project: string; created_at: number; at: number };
}

export interface Current {
  envelope: Envelope | null;
  revision: number;
}

/** Later writes that may have buried an own one before it is read back. */
const KEPT_OPS = 8;
const DEADLINE_MS = 10_000;
const PAUSE_MS = 100;

export const parse = (data: Uint8Array | null): Envelope | null =>
  data === null || data.length === 0 ? null : (JSON.parse(Buffer.from(data).toString()) as Envelope);

export async function readCurrent(bucket: Bucket, key: string, deadline = Date.now() + DEADLINE_MS): Promise<Current> {
  for (;;) {
    try {
      const { data, revision } = await bucket.read(key);
      return { envelope: parse(data), revision };
    } catch (cause) {
      if (Date.now() > deadline) throw new ApiError('service_unavailable', 'The records cannot be read just now.', { cause });
      await sleep(PAUSE_MS);
    }
  }
}

export interface Change {
  /** What stands there now: as written, or as found when there was nothing to write. */
  current: Current;
  written: boolean;
}

/**
 * Read, decide, write if nobody else has written since; again on a conflict. A write may be stored and yet report failure (the server
 * stopped before its answer; the retry then conflicts with itself): each carries an operation id and is looked for before it is decided anew.
 *
 * @param decide what shall stand there, or null to leave it; runs again after a conflict; what it throws ends the change
 */
export async function compareAndSet(
  bucket: Bucket,
  key: string,
  decide: (current: Envelope | null) => Omit<Envelope, 'ops'> | null,
): Promise<Change> {
  const op = randomBytes(9).toString('base64url');
  const deadline = Date.now() + DEADLINE_MS;
  let tried = null as { revision: number; text: string; envelope: Envelope } | null;
  for (;;) {
    const current = await readCurrent(bucket, key, deadline);
    if (current.envelope?.ops.includes(op)) return { current, written: true };
    if (tried?.revision !== current.revision) {
      const decided = decide(current.envelope);
      if (decided === null) return { current, written: false };
      const envelope = { ops: [op, ...(current.envelope?.ops ?? [])].slice(0, KEPT_OPS), ...decided };
      tried = { revision: current.revision, text: JSON.stringify(envelope), envelope };
    }
    const outcome = await bucket.write(key, tried.text, tried.revision);
    if (typeof outcome === 'object') return { current: { envelope: tried.envelope, revision: outcome.stored }, written: true };
    if (Date.now() > deadline) throw new ApiError('service_unavailable', 'The change could not be recorded in time.');
    if (outcome === 'unknown') await sleep(PAUSE_MS);
  }
}
