import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { MetricsRow } from '@tunefleet/contracts';
import type { Tunefleet } from './tunefleet.js';

export type { MetricsRow };

const path = (job: string): string => `/fine_tuning/jobs/${encodeURIComponent(job)}/metrics`;

/** One row an optimizer step, oldest first. */
export const listMetrics = async (fleet: Tunefleet, job: string): Promise<MetricsRow[]> => (await fleet.list<MetricsRow>(path(job))).data;

/**
 * The rows there are and those to come, until the job has ended (`true`) or the connection (`false`). A caller that connects again sees the earlier rows again.
 */
export async function* followMetrics(fleet: Tunefleet, job: string, signal: AbortSignal): AsyncGenerator<MetricsRow, boolean> {
  const response = await fleet.openai.get(path(job), { headers: { accept: 'text/event-stream' }, signal }).asResponse();
  if (!response.body) return false;
  const body = Readable.fromWeb(response.body as ReadableStream, { signal });
  let done = false;
  // Each event is one `data:` line of JSON; `event: done` goes before the last.
  for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === 'event: done') done = true;
    else if (line.startsWith('data: ') && !done) yield JSON.parse(line.slice('data: '.length)) as MetricsRow;
  }
  return done;
}
