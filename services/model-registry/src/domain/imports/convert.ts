import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ApiError } from '@tunefleet/contracts';
import type { ImportJob, ImportMessage } from '../../import-messages.js';

type Done = Extract<ImportMessage, { type: 'done' }>;

/** Runs the conversion in a process of its own. Errors: `invalid_model`, `not_supported` where the files are at fault; the signal's reason. */
export function convert(job: ImportJob, signal: AbortSignal, onProgress: (done: number) => void): Promise<Done> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('../../import-process.js', import.meta.url)), { signal, killSignal: 'SIGKILL' });
    let outcome: Done | ApiError | null = null;
    child.on('message', (message: ImportMessage) => {
      if (message.type === 'progress') onProgress(message.done);
      else if (message.type === 'done') outcome = message;
      else outcome = new ApiError(message.code, message.message, { param: 'source' });
    });
    child.on('error', reject);
    child.on('exit', (code, ended) => {
      if (outcome instanceof ApiError) reject(outcome);
      else if (outcome) resolve(outcome);
      else reject(new Error(`the conversion ended with ${ended ?? code}`));
    });
    child.send(job);
  });
}
