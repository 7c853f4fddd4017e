import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ApiError } from '@tunefleet/contracts';
import type { Answer, Question } from '../estimate-process.js';

const ENTRY = fileURLToPath(new URL('../estimate-process.js', import.meta.url));
/** Milliseconds; a second measures the machine's rates, a model of 1 B parameters takes three. */
const PATIENCE = 60_000;

/** Asks a process of its own. Errors: `internal_error`, when it ends without an answer. */
export async function askEstimate(question: Question): Promise<Extract<Answer, { limit: number }>> {
  const { PATH, TMPDIR, LD_LIBRARY_PATH } = process.env;
  const child = fork(ENTRY, [], {
    env: Object.fromEntries(Object.entries({ PATH, TMPDIR, LD_LIBRARY_PATH }).filter(([, value]) => value !== undefined)),
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  try {
    const answer = await new Promise<Answer>((resolve) => {
      child.once('message', (message) => resolve(message as Answer));
      child.once('error', (error) => resolve({ failure: String(error) }));
      child.once('close', (code, signal) => resolve({ failure: `it ended with ${code ?? signal}` }));
      child.send(question);
    });
    if ('failure' in answer) throw new ApiError('internal_error', `The job could not be estimated: ${answer.failure}.`);
    return answer;
  } finally {
    clearTimeout(timer);
  }
}
