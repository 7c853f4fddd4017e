import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type FineTuningEstimate, type JobCreateBody } from '@tunefleet/contracts';
import { askEstimate } from './ask-estimate.js';
import { planJob } from './create.js';
import { requireFit, runOfJob } from './job-memory.js';
import type { Parts } from './parts.js';
import { type FilesOfJob, type Planned, validateFiles } from './validate-files.js';

/** How long (ms) the rows may take to be prepared while a request waits, and how often it looks. */
const PREPARED_WITHIN = 20_000;
const LOOK_EVERY = 250;

/**
 * What a job of this body would take. Errors: those of creating the job; the first fault of its files; `insufficient_memory`; `service_unavailable`
 * while its rows are being prepared.
 * @param declared bytes that pods were told they may use, if they were
 */
export async function estimateJob(
  parts: Parts,
  project: string,
  body: JobCreateBody,
  declared: number | null,
): Promise<FineTuningEstimate> {
  const job = await planJob(parts, project, body);
  const { plan, settings } = await preparedPlan(parts, job);
  const { seconds, needed, error, limit } = await askEstimate({ ...(await runOfJob(parts, job, { plan, settings })), declared });
  requireFit({ needed, limit }, settings.memory);
  const { training, steps, batch_size, n_epochs } = plan;
  const tokens = Math.round(training.tokens * Math.min(n_epochs, (steps * batch_size) / training.examples));
  return {
    object: 'fine_tuning.estimate',
    tokens,
    truncated_rows: training.truncated,
    steps,
    seconds,
    peak_memory_bytes: needed,
    cost: null,
    error,
  };
}

async function preparedPlan(parts: Parts, job: FilesOfJob): Promise<{ plan: NonNullable<Planned['plan']>; settings: Planned['settings'] }> {
  for (const end = Date.now() + PREPARED_WITHIN; Date.now() < end; await sleep(LOOK_EVERY)) {
    const planned = await validateFiles(parts, job);
    if (planned?.plan) return { plan: planned.plan, settings: planned.settings };
  }
  throw new ApiError('service_unavailable', 'The rows are still being prepared. Ask again.');
}
