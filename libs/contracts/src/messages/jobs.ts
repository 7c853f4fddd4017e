import { Type } from 'typebox';
import { Id, Nullable } from './common.js';

/** What any worker says to the owner of durable work (`libs/jobs`); subject `rpc.<owner>.jobs_claim` and so on. */
const Work = { queue: Type.String(), id: Id };
/** The attempt is the fencing token: only its holder is heard. */
const Holder = { ...Work, attempt: Type.Integer() };

export const jobsProtocol = {
  /**
   * Compare-and-set to running, attempt + 1. `null`: nothing to do (taken, cancelled, gone); the hint is acked all the same.
   * `worker` is new for each hint: whoever asks again with it, having got no answer, gets the same attempt again.
   */
  jobs_claim: {
    request: Type.Object({ ...Work, worker: Type.String() }),
    reply: Type.Object({
      claim: Nullable(Type.Object({ id: Id, attempt: Type.Integer(), project: Type.String(), kind: Type.String(), spec: Type.Unknown() })),
    }),
  },
  /**
   * A worker begins whose token starts with `<instance>/<incarnation>/`. There is one of an instance at a time: what an earlier incarnation
   * of it held is lost, and hints that it may have taken with it are sent again.
   */
  jobs_begin: {
    request: Type.Object({ queue: Type.String(), instance: Type.String(), incarnation: Type.String() }),
    reply: Type.Object({}),
  },
  jobs_heartbeat: {
    request: Type.Object({ ...Holder, step: Type.Integer() }),
    reply: Type.Object({ answer: Type.Union([Type.Literal('continue'), Type.Literal('pause'), Type.Literal('stop')]) }),
  },
  /** Progress rows, keyed by step: repeats of a resumed attempt vanish. */
  jobs_progress: { request: Type.Object({ ...Holder, rows: Type.Array(Type.Unknown()) }), reply: Type.Object({}) },
  jobs_complete: { request: Type.Object({ ...Holder, result: Type.Unknown() }), reply: Type.Object({}) },
  jobs_fail: {
    request: Type.Object({
      ...Holder,
      error: Type.Object({ code: Type.String(), message: Type.String(), param: Nullable(Type.String()) }),
      retry: Type.Boolean(),
    }),
    reply: Type.Object({}),
  },
  /** Gives the work back after a snapshot: `paused` when it was asked to pause, `queued` when the worker drains. */
  jobs_yield: {
    request: Type.Object({ ...Holder, reason: Type.Union([Type.Literal('paused'), Type.Literal('drained')]) }),
    reply: Type.Object({}),
  },
} as const;
