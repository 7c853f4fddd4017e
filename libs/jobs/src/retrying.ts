import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@tunefleet/contracts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** Answers that say "failed", not "away": more of them are no use. */
const MOST_FAILURES = 8;

/** Again until it is answered, for as long as the other side is away. Throws what the other side refuses, and the signal's reason. */
export async function retrying<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let failures = 0;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status < 500) throw error;
      if (error.code !== 'service_unavailable' && ++failures >= MOST_FAILURES) throw error;
    }
    await sleep(pause, undefined, { signal });
  }
}
