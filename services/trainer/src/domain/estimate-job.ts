import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type FineTuningEstimate, type JobCreateBody, type ResolvedModel } from '@tunefleet/contracts';
import { askEstimate } from './ask-estimate.js';
import { planJob } from './create.js';
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
  if (settings.task === 'classification')
    throw new ApiError('not_supported', 'An estimate of a classifier is known but not built yet.', { param: 'tunefleet.task' });
  const config = await configOf(await parts.bus.request('model-registry.resolve_model', { project, model: job.model.id }));
  const { batch_size, steps, n_epochs, training } = plan;
  const { adapter, base_precision, memory, sequence, micro_batch_size } = settings;
  const { estimate, limit } = await askEstimate({
    config,
    declared,
    run: { adapter, base_precision, memory, batch_size, micro_batch_size: sequence.packing ? micro_batch_size : 1, steps, data: training },
  });
  const { seconds, peak_memory_bytes, error } = estimate;
  if (peak_memory_bytes > limit)
    throw new ApiError(
      'insufficient_memory',
      `The job needs about ${megabytes(peak_memory_bytes)}, and a training process may use ${megabytes(limit)}. ${memory === 'fast' ? "'tunefleet.memory': 'lean' needs less." : 'Reduce micro_batch_size, max_tokens or rank, or use a smaller base.'}`,
      { param: memory === 'fast' ? 'tunefleet.memory' : null },
    );
  const tokens = Math.round(training.tokens * Math.min(n_epochs, (steps * batch_size) / training.examples));
  return {
    object: 'fine_tuning.estimate',
    tokens,
    truncated_rows: training.truncated,
    steps,
    seconds,
    peak_memory_bytes,
    cost: null,
    error,
  };
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

async function preparedPlan(parts: Parts, job: FilesOfJob): Promise<{ plan: NonNullable<Planned['plan']>; settings: Planned['settings'] }> {
  for (const end = Date.now() + PREPARED_WITHIN; Date.now() < end; await sleep(LOOK_EVERY)) {
    const planned = await validateFiles(parts, job);
    if (planned?.plan) return { plan: planned.plan, settings: planned.settings };
  }
  throw new ApiError('service_unavailable', 'The rows are still being prepared. Ask again.');
}

async function configOf({ files }: Pick<ResolvedModel, 'files'>): Promise<object> {
  const config = files.find(({ path }) => path === 'config.json');
  if (!config) throw new ApiError('internal_error', 'The base has no config.json.');
  const response = await fetch(config.url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new ApiError('service_unavailable', `Reading the base's config.json answered ${response.status}.`);
  return (await response.json()) as object;
}
