import { ApiError } from '@tunefleet/contracts';
import type { JobRecord } from '../store/job-record.js';
import type { JobRecords } from './parts.js';

/** The attempt number is the fencing token: only the newest, of a job that runs, may leave traces. Throws `invalid_state`. */
export function isHolder({ work }: Pick<JobRecord, 'work'>, attempt: number): boolean {
  return work.attempt === attempt && (work.state === 'running' || work.state === 'pausing');
}

export async function requireHolder(records: JobRecords, id: string, attempt: number): Promise<JobRecord> {
  const job = (await records.get(id))?.value;
  if (!job || !isHolder(job, attempt)) throw new ApiError('invalid_state', `Attempt ${attempt} does not hold job ${id} any more.`);
  return job;
}
