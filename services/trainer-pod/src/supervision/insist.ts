import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@tunefleet/contracts';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

/** Asking again cannot help: the owner decided (a lost attempt, a bad request), or a file of ours is not there. */
const isFinal = (error: unknown): boolean =>
  error instanceof ApiError ? error.status < 500 : ['ENOENT', 'ENOSPC', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');

/** Runs until it succeeds, the owner refuses, or the signal aborts: a trainer that restarts must not cost the work done. */
export async function insist<T>(run: () => Promise<T>, signal: AbortSignal, onFault: (error: unknown) => void): Promise<T> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 2)) {
    signal.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      if (isFinal(error) || signal.aborted) throw error;
      onFault(error);
      await sleep(wait, undefined, { signal });
    }
  }
}
