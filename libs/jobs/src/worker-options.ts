import type { JobsReply, WorkService } from './protocol.js';
import type { WorkError } from './state.js';

/** What a worker got to do. `spec` is what the owner's `onClaim` answered. */
export type Claim = NonNullable<JobsReply<'jobs_claim'>['claim']>;

/** `pause` and `drain`: reach a safe point, then end with `paused` or `drained`. `stop`: cancelled or lost, nothing counts any more. */
export type Wish = 'continue' | 'pause' | 'drain' | 'stop';

export interface WorkContext {
  /** Aborts on `stop`. */
  signal: AbortSignal;
  wish(): Wish;
  /** Called at each change of the wish. */
  onWish(callback: (wish: Wish) => void): void;
  /** Rows for the owner, batched and sent until they arrive. Resolves when they have; rejects on `stop`. */
  progress(rows: unknown[]): Promise<void>;
  /** How far the work is; goes with heartbeats, and a lost attempt that came further than all before is no futile one. */
  step(step: number): void;
}

export type Outcome =
  | { type: 'completed'; result: unknown }
  | { type: 'paused' }
  | { type: 'drained' }
  | { type: 'failed'; error: WorkError; retry: boolean };

export interface WorkerOptions {
  owner: WorkService;
  queue: string;
  /** Pieces of work at the same time. Default 1. */
  concurrency?: number;
  run(claim: Claim, context: WorkContext): Promise<Outcome>;
  /** Claim this one alone, without the queue, then stop. */
  only?: string;
  /** Default 5,000. */
  heartbeatMs?: number;
}

export interface Worker {
  /** Asks running work to drain, waits for it, takes nothing more. */
  drain(): Promise<void>;
  /** Resolves when the worker has ended: after `drain`, or after its only work, with that work's outcome (null: there was nothing to do or it was stopped). */
  readonly stopped: Promise<Outcome | null>;
  /** Work that runs just now. */
  running(): string[];
}
