import { Worker } from 'node:worker_threads';
import type { ThreadJob, ThreadMessage, ThreadResult } from './messages.js';

const THREAD = new URL('./thread.js', import.meta.url);
/** A thread takes 0.3 s to start and 30 MB: one waits this long for the next file. */
const IDLE_MS = 20_000;

let idle: { thread: Worker; timer: NodeJS.Timeout } | null = null;

function takeThread(): Worker {
  if (!idle) return new Worker(THREAD);
  const { thread, timer } = idle;
  idle = null;
  clearTimeout(timer);
  thread.ref();
  return thread;
}

function keepThread(thread: Worker): void {
  thread.removeAllListeners();
  if (idle) {
    void thread.terminate();
    return;
  }
  thread.unref();
  const forget = () => {
    if (idle?.thread === thread) idle = null;
    void thread.terminate();
  };
  const timer = setTimeout(forget, IDLE_MS).unref();
  thread.once('error', forget).once('exit', forget);
  idle = { thread, timer };
}

/** Runs a job off the event loop's way. Rejects when the signal aborts, having ended the thread. */
export function runThread<J extends ThreadJob>(job: J, signal: AbortSignal, onProgress: (rows: number) => void): Promise<ThreadResult<J>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const thread = takeThread();
    thread.removeAllListeners();
    const stop = () => void thread.terminate().then(() => reject(signal.reason));
    signal.addEventListener('abort', stop, { once: true });
    thread
      .on('message', (message: ThreadMessage) => {
        if (message.type === 'progress') return onProgress(message.rows);
        signal.removeEventListener('abort', stop);
        keepThread(thread);
        resolve(message.result as ThreadResult<J>);
      })
      .on('error', reject)
      .on('exit', (code) => {
        signal.removeEventListener('abort', stop);
        reject(new Error(`the ${job.type} thread ended with ${code}`));
      });
    thread.postMessage(job);
  });
}
