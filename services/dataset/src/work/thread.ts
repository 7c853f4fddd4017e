import { parentPort, workerData } from 'node:worker_threads';
import { checkRows } from './check-rows.js';
import type { ThreadJob, ThreadMessage } from './messages.js';
import { prepareShards } from './prepare-shards.js';

const job = workerData as ThreadJob;
const send = (message: ThreadMessage): void => parentPort?.postMessage(message);
const progress = (rows: number): void => send({ type: 'progress', rows });

send({ type: 'done', result: job.type === 'check' ? await checkRows(job, progress) : await prepareShards(job, progress) });
