import { ApiError, type ResolvedModel } from '@tunefleet/contracts';
import type { PlannedRun } from '@tunefleet/training-core';
import { askMemory } from './ask-estimate.js';
import type { Parts } from './parts.js';
import type { Settings } from './settings.js';
import type { FilesOfJob, Planned } from './validate-files.js';

/** A job whose files are known, as the estimate's process is asked of it. */
export interface RunOfJob {
  /** the base's `config.json` */
  config: object;
  run: PlannedRun;
}

/** Errors: `service_unavailable` where the base's files cannot be read now. */
export async function runOfJob(
  parts: Pick<Parts, 'bus'>,
  { project, model }: Pick<FilesOfJob, 'project' | 'model'>,
  { settings, plan }: { settings: Settings; plan: NonNullable<Planned['plan']> },
): Promise<RunOfJob> {
  const config = await configOf(await parts.bus.request('model-registry.resolve_model', { project, model: model.id }));
  const { adapter, base_precision, memory, sequence, micro_batch_size, freeze, task } = settings;
  const { batch_size, steps, training, validation } = plan;
  return {
    config,
    run: {
      adapter,
      base_precision,
      memory,
      ...(task === 'classification' ? { task: { type: 'classification', labels: training.labels ?? [] } } : {}),
      ...(freeze ? { freeze } : {}),
      batch_size,
      micro_batch_size: sequence.packing ? micro_batch_size : 1,
      steps,
      data: training,
      validation,
    },
  };
}

/** Fails a job that no pod has the memory for, before one takes it. Errors: `insufficient_memory`. A question that finds no answer stops nothing: the pod asks itself again. */
export async function requireMemory(
  parts: Pick<Parts, 'bus'>,
  job: FilesOfJob,
  { settings, plan }: Planned,
  declared: number | null,
): Promise<void> {
  if (!plan) return;
  let answer: Awaited<ReturnType<typeof askMemory>>;
  try {
    answer = await askMemory({ ...(await runOfJob(parts, job, { settings, plan })), declared });
  } catch (error) {
    parts.bus.logger.warn({ err: error }, 'the memory of a job could not be worked out');
    return;
  }
  requireFit(answer, settings.memory);
}

/** Throws `insufficient_memory` where `needed` bytes are more than a pod may use. */
export function requireFit({ needed, limit }: { needed: number; limit: number }, memory: Settings['memory']): void {
  if (needed <= limit) return;
  const next =
    memory === 'fast'
      ? "'tunefleet.memory': 'lean' needs less."
      : 'Reduce micro_batch_size, sequence.max_tokens or the rank, or use a smaller base.';
  throw new ApiError(
    'insufficient_memory',
    `Training needs about ${megabytes(needed)}, and a training pod may use ${megabytes(limit)}. ${next}`,
    {
      param: memory === 'fast' ? 'tunefleet.memory' : null,
    },
  );
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

async function configOf({ files }: Pick<ResolvedModel, 'files'>): Promise<object> {
  const config = files.find(({ path }) => path === 'config.json');
  if (!config) throw new ApiError('internal_error', 'The base has no config.json.');
  const response = await fetch(config.url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new ApiError('service_unavailable', `Reading the base's config.json answered ${response.status}.`);
  return (await response.json()) as object;
}
