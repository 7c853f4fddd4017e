import { setTimeout as sleep } from 'node:timers/promises';
import type { FineTuningJob } from '@tunefleet/contracts';
import type { Fleet } from './fleet.js';

const POLL_MS = 50;

/** Polls until `look` answers something. */
export async function until<T>(look: () => Promise<T | null | undefined | false>, what: string, seconds = 45): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look().catch(() => null);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(POLL_MS);
  }
}

const ENDS = ['succeeded', 'failed', 'cancelled'];

/** What the processes wrote last, less their access logs. */
function tails(fleet: Fleet): string {
  const told = (log: string) =>
    log
      .split('\n')
      .filter((line) => !line.includes('"msg":"request"'))
      .join('\n');
  return [...fleet.logs].map(([name, log]) => `--- ${name}\n${told(log).slice(-3000)}`).join('\n');
}

export async function jobIn(fleet: Fleet, id: string, states: readonly string[]): Promise<FineTuningJob> {
  let last: FineTuningJob | null = null;
  const look = async () => {
    const { status, body } = await fleet.api<FineTuningJob>('GET', `/jobs/${id}`);
    last = body;
    return status === 200 && states.includes(body.status) && body;
  };
  return until(look, `${id} to be ${states.join(' or ')}`).catch((error: Error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(last)}\n${tails(fleet)}`);
  });
}

export const ended = (fleet: Fleet, id: string): Promise<FineTuningJob> => jobIn(fleet, id, ENDS);
