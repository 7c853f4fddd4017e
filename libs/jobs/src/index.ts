export { admissionOrder, type Place, type Waiting } from './admission.js';
export { addEvent, type EventText, type EventTexts, type LifeEventName, type WorkRecord } from './life.js';
export { openWork } from './owner.js';
export type { WorkEntry, WorkOptions, WorkOwner } from './owner-options.js';
export type { WorkService } from './protocol.js';
export {
  isFinished,
  isHeld,
  LifeEvent,
  MOVES,
  type Move,
  summarize,
  WorkError,
  WorkState,
  WorkStateName,
  type WorkSummary,
} from './state.js';
export { startWorker } from './worker.js';
export type { Claim, Outcome, Wish, WorkContext, Worker, WorkerOptions } from './worker-options.js';
