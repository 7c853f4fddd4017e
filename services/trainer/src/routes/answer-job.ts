import { ApiError, type FineTuningJob } from '@tunefleet/contracts';
import type { Trainer } from '../domain/parts.js';
import { viewJob } from '../domain/view.js';
import type { JobRecord } from '../store/job-record.js';

/** The job as it is answered, with why it waits. */
export const answerJob = ({ work }: Trainer, job: JobRecord): FineTuningJob => viewJob(job, work.place(job.id));

/** The job of a project. Another project's is no other than none: 404 `job_not_found`. */
export async function findJob({ records }: Trainer, project: string, id: string): Promise<JobRecord> {
  const job = (await records.get(id))?.value;
  if (job?.project !== project)
    throw new ApiError('job_not_found', `The fine-tuning job '${id}' does not exist or you do not have access to it.`, {
      param: 'fine_tuning_job_id',
    });
  return job;
}
