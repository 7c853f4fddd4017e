import type { Bus } from '@tunefleet/messaging';
import type { Worker, WorkerOptions } from './worker-options.js';

export function startWorker(_bus: Bus, _options: WorkerOptions): Worker {
  throw new Error('in the next commit');
}
