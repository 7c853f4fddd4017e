import { ApiError, deriveId } from '@tunefleet/contracts';
import type { RecordBase } from '@tunefleet/records';
import { after, isFinished, type LifeEvent, type Move, type WorkError, type WorkState, type WorkStateName } from './state.js';

export interface WorkRecord extends RecordBase {
  work: WorkState;
}

/** `lost`: its worker fell silent. `retried`: an attempt failed and another follows. `drained`: its worker gave it back. */
export type LifeEventName =
  | 'created'
  | 'queued'
  | 'started'
  | 'pausing'
  | 'paused'
  | 'resumed'
  | 'lost'
  | 'retried'
  | 'drained'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

export interface EventText {
  message: string;
  level?: LifeEvent['level'];
}

/** What a life-cycle event says, given the record as it will be: one text, several, or none. */
export type EventTexts<R> = (name: LifeEventName, record: R) => EventText | EventText[] | null;

/** Pausing and resuming for ever would outgrow the record. */
const MOST_EVENTS = 200;

/** The record with an event of this name added. Services may add their own within a change of theirs. */
export function addEvent<R extends WorkRecord>(record: R, name: string, { message, level = 'info' }: EventText): R {
  const { events } = record.work;
  const event = { id: deriveId('event', record.id, String(events.length)), name, created_at: seconds(), level, message };
  return { ...record, work: { ...record.work, events: [...events, event] } };
}

export function addEvents<R extends WorkRecord>(record: R, name: LifeEventName, texts: EventTexts<R> | undefined): R {
  const said = texts?.(name, record) ?? [];
  return (Array.isArray(said) ? said : [said]).reduce((grown, text) => addEvent(grown, name, text), record);
}

const EVENT_OF: Partial<Record<WorkStateName, LifeEventName>> = {
  pausing: 'pausing',
  paused: 'paused',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** The record after a legal move, its events with it. Throws `invalid_state`. */
export function moved<R extends WorkRecord>(
  record: R,
  move: Move,
  texts: EventTexts<R> | undefined,
  { changes = {}, event }: { changes?: Partial<WorkState>; event?: LifeEventName } = {},
): R {
  const state = after(record.work, move);
  if (move === 'pause' && record.work.events.length > MOST_EVENTS)
    throw new ApiError('invalid_state', 'This job was paused too often to be paused again.');
  const finished = isFinished(state) ? { finished_at: seconds(), completing: null } : {};
  const next = { ...record, work: { ...record.work, ...finished, ...changes, state } };
  const name = event !== undefined && state !== 'paused' ? event : EVENT_OF[state];
  return name === undefined ? next : addEvents(next, name, texts);
}

/** The record after its attempt was lost or failed: given back, or failed for good when that happened too often without getting further. */
export function afterLoss<R extends WorkRecord>(
  record: R,
  loss: { step: number; maxAttempts: number; event: 'lost' | 'retried'; error: WorkError; retryMs: number },
  texts: EventTexts<R> | undefined,
): R {
  const { work } = record;
  const further = loss.step > work.best_step;
  const losses = further ? 1 : work.losses + 1;
  const counted = { losses, best_step: Math.max(loss.step, work.best_step) };
  if (losses >= loss.maxAttempts) {
    const message = `The work was given up after ${losses} attempts without progress. The last one: ${loss.error.message}`;
    return moved(record, 'fail', texts, { changes: { ...counted, error: { code: 'too_many_attempts', message, param: null } } });
  }
  const not_before = loss.event === 'retried' ? Date.now() + Math.min(loss.retryMs * 2 ** (losses - 1), 60_000) : 0;
  return moved(record, 'release', texts, { changes: { ...counted, not_before }, event: loss.event });
}

export function newWork(queue: string, kind: string, priority: number, state: 'validating_files' | 'queued'): WorkState {
  return {
    state,
    queue,
    kind,
    priority,
    order: Date.now(),
    prepared: state === 'queued',
    attempt: 0,
    worker: null,
    losses: 0,
    best_step: 0,
    not_before: 0,
    completing: null,
    error: null,
    started_at: null,
    finished_at: null,
    events: [],
  };
}

export const seconds = (): number => Math.floor(Date.now() / 1000);
