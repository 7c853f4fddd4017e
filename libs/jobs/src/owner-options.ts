import type { Records, Stored } from '@tunefleet/records';
import type { Place, Waiting } from './admission.js';
import type { EventTexts, WorkRecord } from './life.js';
import type { WorkService } from './protocol.js';
import type { WorkError } from './state.js';

/** What the records' `project` must keep of each: `{id, project, work: summarize(record.work), ...}`. */
export type WorkEntry = Waiting;

export interface WorkOptions<R extends WorkRecord, P extends WorkEntry> {
  service: WorkService;
  records: Records<R, P>;
  /** Queues of these records; each queue name belongs to one owner in a service. */
  queues: readonly string[];
  /** Pieces of work of a queue published or held at the same time. */
  slots: Record<string, number> | ((queue: string) => number);
  /** Attempts lost or failed without getting a step further before the work is `failed` with `too_many_attempts`. Default 5. */
  maxAttempts?: number;
  /**
   * For work in `validating_files`. Null: not yet, ask again; a change: it is ready and becomes `queued`. An ApiError below 500 fails the work
   * with its code and param, any other error is tried again. Must be idempotent.
   */
  prepare?(record: R): Promise<Partial<R> | null>;
  /** The spec that goes to the worker. May run again for the same attempt. An ApiError below 500 fails the work. */
  onClaim(record: R, attempt: number): Promise<unknown>;
  /** Rows from the current holder; may repeat. */
  onProgress?(record: R, rows: unknown[]): Promise<void>;
  /** Effects that come before `succeeded`. Idempotent: runs until it returns. An ApiError below 500 fails the work. */
  onComplete(record: R, attempt: number, result: unknown): Promise<Partial<R>>;
  /** A change to be written together with `failed`. */
  onFail?(record: R, error: WorkError): Partial<R>;
  /** After each move, by the replica that made it; a hint (it may be lost with the process). */
  onChange?(record: R): void;
  texts?: EventTexts<R>;
  /** Work is lost when no heartbeat was seen for this long. Default 15,000. */
  leaseMs?: number;
  /** How often everything is looked at, apart from each change. Default 1,000. */
  reconcileMs?: number;
  /** Pause before the second attempt after a failure that may be retried; doubles. Default 1,000. */
  retryMs?: number;
}

/** The owner's side of durable work: the only one that writes its state. */
export interface WorkOwner<R extends WorkRecord> {
  /** Idempotent by id. State `validating_files` where there is a `prepare`, else `queued`. */
  submit(record: Omit<R, 'work'>, work: { queue: string; kind: string; priority?: number }): Promise<Stored<R> & { created: boolean }>;
  /** A user's move. Throws `invalid_state`, `not_found`. `repeat`: the request was sent before, so that being there already is no error. */
  move(id: string, move: 'cancel' | 'pause' | 'resume', options?: { repeat?: boolean }): Promise<R>;
  /** Fail work that no worker holds, e.g. because what it needs is gone. */
  fail(id: string, error: WorkError): Promise<R>;
  /** Why waiting work waits; null when it does not wait. From the index. */
  place(id: string): Place | null;
  /** The record, when this attempt still holds the work. Throws `invalid_state`. */
  heldBy(id: string, attempt: number): Promise<R>;
  /** A change of the service's own fields by the current holder. Throws `invalid_state`. */
  updateHeld(id: string, attempt: number, change: (record: R) => R | null): Promise<R>;
  /** Look at everything now, e.g. because an event says that something waited for has happened. */
  kick(): void;
  ready(): boolean;
  /** Takes up nothing new and waits for what runs in this process. */
  drain(): Promise<void>;
}
