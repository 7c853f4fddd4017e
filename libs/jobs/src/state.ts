import { ApiError } from '@tunefleet/contracts';
import Type from 'typebox';

export const WorkStateName = Type.Union([
  Type.Literal('validating_files'),
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('pausing'),
  Type.Literal('paused'),
  Type.Literal('succeeded'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
]);
export type WorkStateName = Type.Static<typeof WorkStateName>;

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const LifeEvent = Type.Object({
  /** Derived from the job's id and the event's place. */
  id: Type.String(),
  name: Type.String(),
  /** Seconds. */
  created_at: Type.Integer(),
  level: Type.Union([Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')]),
  message: Type.String(),
});
export type LifeEvent = Type.Static<typeof LifeEvent>;

export const WorkError = Type.Object({ code: Type.String(), message: Type.String(), param: Nullable(Type.String()) });
export type WorkError = Type.Static<typeof WorkError>;

/** The life of one piece of work, embedded in its owner's record as `work`. Written by `libs/jobs` alone. */
export const WorkState = Type.Object({
  state: WorkStateName,
  queue: Type.String(),
  kind: Type.String(),
  /** Higher goes first. */
  priority: Type.Integer(),
  /** Milliseconds at submission: who came first goes first among equals. */
  order: Type.Integer(),
  /** It need not go through `validating_files` again. */
  prepared: Type.Boolean(),
  /** The fencing token of the last claim; 0 before the first. */
  attempt: Type.Integer(),
  /** Token of the worker that holds or last held it. */
  worker: Nullable(Type.String()),
  /** Attempts lost or failed since one came further than all before. */
  losses: Type.Integer(),
  /** The furthest step at which an attempt was lost. */
  best_step: Type.Integer(),
  /** Milliseconds: not published before. */
  not_before: Type.Integer(),
  /** A completion that was accepted; its effects come before `succeeded`. */
  completing: Nullable(Type.Object({ attempt: Type.Integer(), result: Type.Unknown() })),
  error: Nullable(WorkError),
  /** Seconds; of the first claim, and of the end. */
  started_at: Nullable(Type.Integer()),
  finished_at: Nullable(Type.Integer()),
  events: Type.Array(LifeEvent),
});
export type WorkState = Type.Static<typeof WorkState>;

/** What the owner's index keeps of it. */
export type WorkSummary = Pick<WorkState, 'state' | 'queue' | 'priority' | 'order' | 'attempt' | 'not_before'> & { completing: boolean };

export const summarize = ({ state, queue, priority, order, attempt, not_before, completing }: WorkState): WorkSummary => ({
  state,
  queue,
  priority,
  order,
  attempt,
  not_before,
  completing: completing !== null,
});

export const isFinished = (state: WorkStateName): boolean => state === 'succeeded' || state === 'failed' || state === 'cancelled';
/** A worker holds it. */
export const isHeld = (state: WorkStateName): boolean => state === 'running' || state === 'pausing';

/** `release`: a worker gave it back or was lost. */
export type Move = 'prepare' | 'claim' | 'pause' | 'resume' | 'cancel' | 'release' | 'succeed' | 'fail';

/** Every legal move. */
export const MOVES: Record<WorkStateName, Partial<Record<Move, WorkStateName>>> = {
  validating_files: { prepare: 'queued', pause: 'paused', cancel: 'cancelled', fail: 'failed' },
  queued: { claim: 'running', pause: 'paused', cancel: 'cancelled', fail: 'failed' },
  running: { pause: 'pausing', cancel: 'cancelled', release: 'queued', succeed: 'succeeded', fail: 'failed' },
  pausing: { cancel: 'cancelled', release: 'paused', succeed: 'succeeded', fail: 'failed' },
  paused: { resume: 'queued', cancel: 'cancelled' },
  succeeded: {},
  failed: {},
  cancelled: {},
};

const PARTICIPLE: Record<Move, string> = {
  prepare: 'queued',
  claim: 'started',
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
  release: 'given back',
  succeed: 'completed',
  fail: 'failed',
};

/** The state after a move. Throws `invalid_state`. */
export function after(work: WorkState, move: Move): WorkStateName {
  const next = MOVES[work.state][move];
  if (next === undefined) throw new ApiError('invalid_state', `A job that is ${work.state} cannot be ${PARTICIPLE[move]}.`);
  if (work.completing && (move === 'pause' || move === 'cancel'))
    throw new ApiError('invalid_state', `The work is done and the job is being completed: it cannot be ${PARTICIPLE[move]} any more.`);
  return move === 'resume' && !work.prepared ? 'validating_files' : next;
}
