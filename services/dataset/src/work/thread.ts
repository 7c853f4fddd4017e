import { parentPort } from 'node:worker_threads';
import { checkRows } from './check-rows.js';
import type { ThreadJob, ThreadMessage } from './messages.js';
import { prepareShards } from './prepare-shards.js';

const send = (message: ThreadMessage): void => parentPort?.postMessage(message);
const progress = (rows: number): void => send({ type: 'progress', rows });
const run = (job: ThreadJob): Promise<unknown> => (job.type === 'check' ? checkRows(job, progress) : prepareShards(job, progress));

// One job after the other; what a job throws ends the thread, and whoever waits hears of it by its 'error'.
parentPort?.on('message', (job: ThreadJob) => {
  void run(job).then((result) => send({ type: 'done', result }));
});
