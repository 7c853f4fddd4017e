import { ApiError } from '@tunefleet/contracts';
import type { WorkRecord } from './life.js';
import { isHeld, type WorkError } from './state.js';

export const isHolder = (record: WorkRecord, attempt: number): boolean => isHeld(record.work.state) && record.work.attempt === attempt;

export function requireHolder<R extends WorkRecord>(record: R, attempt: number): R {
  if (isHolder(record, attempt)) return record;
  throw new ApiError('invalid_state', `Attempt ${attempt} does not hold '${record.id}' any more.`);
}

/** Held by this attempt, and no completion of it was accepted. */
export function requireOpen<R extends WorkRecord>(record: R, attempt: number): R {
  if (record.work.completing) throw new ApiError('invalid_state', `'${record.id}' is being completed.`);
  return requireHolder(record, attempt);
}

/** The error to fail with, or null when another try may go better. */
export function asPermanent(error: unknown): WorkError | null {
  if (!(error instanceof ApiError) || error.status >= 500 || error.status === 429) return null;
  const { code, message, param } = error;
  return { code, message, param };
}
