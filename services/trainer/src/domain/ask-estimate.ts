import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ApiError } from '@tunefleet/contracts';
import type { Answer, Question } from '../estimate-process.js';

const ENTRY = fileURLToPath(new URL('../estimate-process.js', import.meta.url));
/** Milliseconds; three seconds at most measure the machine's rates, a model of 1 B parameters takes three. */
const PATIENCE = 60_000;
/** Answers about memory that are kept: jobs of the same settings on the same rows are common. */
const KEPT = 64;

type Answered<Wanted extends Question['wanted']> = Extract<Answer, { wanted: Wanted }>;

/** Time and memory of a run. Errors: `internal_error`, when the process that is asked ends without an answer. */
export const askEstimate = (about: Omit<Question, 'wanted'>): Promise<Answered<'estimate'>> => ask({ ...about, wanted: 'estimate' });

const known = new Map<string, Promise<Answered<'memory'>>>();

/** Memory of a run alone: no rates are measured. Errors as of {@link askEstimate}. */
export function askMemory(about: Omit<Question, 'wanted'>): Promise<Answered<'memory'>> {
  const { steps: _steps, ...deciding } = about.run;
  const key = JSON.stringify({ ...about, run: deciding });
  const answer = known.get(key) ?? ask({ ...about, wanted: 'memory' });
  known.delete(key);
  known.set(key, answer);
  if (known.size > KEPT) known.delete(known.keys().next().value!);
  answer.catch(() => known.delete(key));
  return answer;
}

let last: Promise<unknown> = Promise.resolve();

/** One process at a time, however many jobs come at once. */
function ask<Wanted extends Question['wanted']>(question: Question & { wanted: Wanted }): Promise<Answered<Wanted>> {
  const answer = last.then(() => askProcess(question));
  last = answer.catch(() => undefined);
  return answer as Promise<Answered<Wanted>>;
}

async function askProcess(question: Question): Promise<Answer> {
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
      child.once('error', (error) => resolve({ wanted: 'nothing', failure: String(error) }));
      child.once('close', (code, signal) => resolve({ wanted: 'nothing', failure: `it ended with ${code ?? signal}` }));
      child.send(question);
    });
    if (answer.wanted === 'nothing') throw new ApiError('internal_error', `The job could not be estimated: ${answer.failure}.`);
    return answer;
  } finally {
    clearTimeout(timer);
  }
}
