import { text } from 'node:stream/consumers';
import type { JobRecord } from '../store/job-record.js';
import type { TimedRow } from './events.js';
import { jobPrefix } from './names.js';
import type { Parts } from './parts.js';

export const archiveKey = (job: Pick<JobRecord, 'id' | 'project'>): string => `${jobPrefix(job)}metrics.jsonl`;

/** All rows of metrics of a job by step: from their store while it lives, from its archive afterwards. */
export async function rowsOf({ metrics, store }: Parts, job: JobRecord): Promise<TimedRow[]> {
  if (!job.metrics_archived) return metrics.all(job.id);
  const lines = (await text(await store.get(archiveKey(job)))).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as TimedRow);
}
