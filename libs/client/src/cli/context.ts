import type { Command } from 'commander';
import { Tunefleet } from '../tunefleet.js';
import { usage } from './failure.js';

const HERE = 'http://127.0.0.1:8080';

/** What a command ends with: the object for `--json`, and the same for a person. `exit` where it is done but not well (a job that failed). */
export interface Result {
  object: unknown;
  text: string;
  exit?: number;
}

export const fleetUrl = (): string => process.env['TUNEFLEET_URL'] || HERE;

/** A client of the fleet that the environment names. */
export function connect(): Tunefleet {
  const apiKey = process.env['TUNEFLEET_API_KEY'];
  if (!apiKey)
    throw usage('TUNEFLEET_API_KEY is not set', 'export TUNEFLEET_API_KEY=<key>; the line that `npm start` prints has it (key=...)');
  const url = fleetUrl();
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw usage(`TUNEFLEET_URL is '${url}', no URL`, `export TUNEFLEET_URL=${HERE}, or where your fleet runs`);
  return new Tunefleet({ url, apiKey });
}

/** Gives a command its body: what the body returns is shown. */
export type Define = <A extends unknown[]>(command: Command, body: (...args: A) => Promise<Result>) => void;
