import type { JobRecord } from '../store/job-record.js';

/** Weight of the newest measurement in the running mean of seconds a step. */
const NEWEST = 0.3;

export type Progress = NonNullable<JobRecord['progress']>;

/** Folds a report of `step` at `at` (ms) into the progress of a job. A step at or before the known one (a resumed attempt) only moves the clock. */
export function foldProgress(before: Progress | null, step: number, at: number): Progress {
  if (!before || step <= before.step) return { step, seconds_per_step: before?.seconds_per_step ?? 0, at };
  const measured = (at - before.at) / 1000 / (step - before.step);
  const mean = before.seconds_per_step === 0 ? measured : NEWEST * measured + (1 - NEWEST) * before.seconds_per_step;
  return { step, seconds_per_step: mean, at };
}

/** Unix seconds at which a running job should end, or null while there is nothing to judge by. */
export function estimatedFinish(job: Pick<JobRecord, 'work' | 'plan' | 'progress'>, now: number): number | null {
  const { plan, progress } = job;
  const { state, started_at } = job.work;
  if (state !== 'running' || !plan || !progress || started_at === null || progress.step === 0) return null;
  // Until there is a measurement: all the time since the start, which held the loading too.
  const pace = progress.seconds_per_step || Math.max(0, progress.at / 1000 - started_at) / progress.step;
  const left = (plan.steps - progress.step) * pace;
  return Math.ceil(Math.max(now, progress.at + left * 1000) / 1000);
}
