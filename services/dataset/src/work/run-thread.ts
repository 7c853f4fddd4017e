import { Worker } from 'node:worker_threads';
import type { ThreadJob, ThreadMessage, ThreadResult } from './messages.js';

const THREAD = new URL('./thread.js', import.meta.url);

/** Runs a job off the event loop's way. Rejects when the signal aborts, having ended the thread. */
export function runThread<J extends ThreadJob>(job: J, signal: AbortSignal, onProgress: (rows: number) => void): Promise<ThreadResult<J>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const thread = new Worker(THREAD, { workerData: job, name: job.type });
    const stop = () => void thread.terminate().then(() => reject(signal.reason));
    signal.addEventListener('abort', stop, { once: true });
    thread
      .on('message', (message: ThreadMessage) => {
        if (message.type === 'progress') onProgress(message.rows);
        else resolve(message.result as ThreadResult<J>);
      })
      .on('error', reject)
      .on('exit', (code) => {
        signal.removeEventListener('abort', stop);
        reject(new Error(`the ${job.type} thread ended with ${code}`)); // without effect after a result
      });
  });
}
