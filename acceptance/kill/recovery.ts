import { writeSync } from 'node:fs';
import { until } from '../harness/data.js';
import type { Fleet } from '../harness/fleet.js';
import { SEED } from './seed.js';

/** One route behind the gateway for each service that answers HTTP. */
const ROUTES = ['/files?limit=1', '/fine_tuning/jobs?limit=1', '/evals?limit=1', '/models'];

async function answers(fleet: Fleet, path: string): Promise<number> {
  try {
    const response = await fetch(`${fleet.url}/v1${path}`, { headers: { authorization: `Bearer ${fleet.key}` } });
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

/** inference has nothing to read: a request that it refuses shows that it answers. */
async function inferenceAnswers(fleet: Fleet): Promise<number> {
  try {
    const response = await fetch(`${fleet.url}/v1/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fleet.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'nobody', prompt: 'x' }),
    });
    await response.body?.cancel();
    return response.status === 404 ? 200 : response.status;
  } catch {
    return 0;
  }
}

/** Resolves when every service answers through the gateway. */
export const wholeAgain = (fleet: Fleet, seconds = 60): Promise<unknown> =>
  until(
    () => Promise.all([...ROUTES.map((path) => answers(fleet, path)), inferenceAnswers(fleet)]),
    (statuses) => statuses.every((status) => status === 200),
    seconds,
  );

interface Row {
  victim: string;
  at: string;
  /** Seconds from the kill until every service answered, and until the job had gone on. */
  answered: number;
  wentOn: number;
}

const table: Row[] = [];

export function note(row: Row): void {
  table.push(row);
  writeSync(2, `${row.victim} | ${row.at} | ${row.answered.toFixed(1)} | ${row.wentOn.toFixed(1)}\n`);
}

/** Where each kill fell and what it cost, on stderr: figures of docs/recovery.md come from here. */
export function printTable(): void {
  const lines = table.map(({ victim, at, answered, wentOn }) => `${victim} | ${at} | ${answered.toFixed(1)} | ${wentOn.toFixed(1)}`);
  writeSync(2, `kills with TUNEFLEET_KILL_SEED=${SEED}\nvictim | at | answered after s | job went on after s\n${lines.join('\n')}\n`);
}
