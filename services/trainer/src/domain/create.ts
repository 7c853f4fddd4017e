import { ApiError, type JobCreateBody, LIMITS, type ResolvedModel } from '@tunefleet/contracts';
import { isFinished } from '@tunefleet/jobs';
import type { JobRecord } from '../store/job-record.js';
import { readParentAdapter } from './adapter.js';
import { requestedHyperparameters } from './hyperparameters.js';
import type { JobRecords, Parts } from './parts.js';
import { resolveSettings } from './settings.js';
import { refuseUnsupported } from './unsupported.js';

/** Purposes whose rows can be trained on. */
const TRAINABLE = 'fine-tune';

/** What a body decides of a job; id, time, seed and life (`work`) come when it is submitted. */
export type NewJob = Omit<JobRecord, 'work' | 'id' | 'created_at' | 'seed'>;

/**
 * Checks a body against the models and files of a project. Errors: `not_supported`, `invalid_value`, `invalid_purpose`, 404 `model_not_found` and
 * `file_not_found` with their param, 429 `queue_full`.
 */
export async function planJob(parts: Parts, project: string, body: JobCreateBody): Promise<NewJob> {
  refuseUnsupported(body);
  const requested = requestedHyperparameters(body);
  const model = await parts.bus.request('model-registry.resolve_model', { project, model: body.model });
  await checkFile(parts, project, body.training_file, 'training_file');
  if (body.validation_file) await checkFile(parts, project, body.validation_file, 'validation_file');
  const parent = model.adapter ? await readParentAdapter(model.adapter) : null;
  const settings = resolveSettings(body.tunefleet, requested, model, parent);
  requireRoom(parts.records, project);
  return {
    project,
    schema: 1,
    model: factsOf(model),
    training_file: body.training_file,
    validation_file: body.validation_file ?? null,
    suffix: body.suffix ?? null,
    metadata: body.metadata ?? null,
    requested,
    settings,
    plan: null,
    progress: null,
    exact: true,
    snapshots: [],
    checkpoints: [],
    manifest_key: null,
    metrics_archived: false,
    fine_tuned_model: null,
    result_file: null,
    trained_tokens: null,
  };
}

/** Throws `queue_full` (429) when a project has as many live jobs as it may. */
export function requireRoom(records: Pick<JobRecords, 'count'>, project: string): void {
  const live = records.count((job) => job.project === project && !isFinished(job.work.state));
  if (live >= LIMITS.liveJobs)
    throw new ApiError('queue_full', `This project has ${live} jobs that are not finished, the most there may be. Cancel some or wait.`);
}

export const factsOf = ({ files: _files, adapter: _adapter, base_precision: _precision, ...facts }: ResolvedModel): JobRecord['model'] =>
  facts;

async function checkFile(parts: Parts, project: string, id: string, param: string): Promise<void> {
  const file = await parts.bus.request('dataset.get_file', { project, id }).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404)
      throw new ApiError('file_not_found', `The file '${id}' does not exist or you do not have access to it.`, { param });
    throw error;
  });
  if (file.purpose !== TRAINABLE)
    throw new ApiError('invalid_purpose', `The file '${id}' has the purpose '${file.purpose}'; a job needs '${TRAINABLE}'.`, { param });
}
