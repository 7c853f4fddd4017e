import type { FineTuningJob, FineTuningJobCheckpoint } from '@tunefleet/contracts';
import type { Checkpoint, JobRecord } from '../store/job-record.js';
import { estimatedFinish } from './estimate.js';
import { checkpointId, checkpointModelId } from './names.js';

export type Waiting = { reason: string; place: number | null } | null;

/** The job as OpenAI's clients read it, with our block, which may be posted back. */
export function viewJob(job: JobRecord, waiting: Waiting, now = Date.now()): FineTuningJob {
  const rate = job.model.rates[job.settings.adapter.type];
  const asked = job.requested.learning_rate_multiplier;
  const multiplier = asked === 'auto' && job.plan ? job.settings.optimizer.learning_rate / rate : asked;
  const hyperparameters = {
    batch_size: job.plan?.batch_size ?? job.requested.batch_size,
    learning_rate_multiplier: multiplier,
    n_epochs: job.plan?.n_epochs ?? job.requested.n_epochs,
  };
  const { work } = job;
  return {
    id: job.id,
    object: 'fine_tuning.job',
    created_at: job.created_at,
    error: work.error && { code: work.error.code, message: work.error.message, param: work.error.param },
    fine_tuned_model: job.fine_tuned_model,
    finished_at: work.finished_at,
    estimated_finish: estimatedFinish(job, now),
    hyperparameters,
    integrations: [],
    method: { type: 'supervised', supervised: { hyperparameters } },
    metadata: job.metadata,
    model: job.model.id,
    organization_id: job.project,
    result_files: job.result_file ? [job.result_file] : [],
    seed: job.seed,
    status: work.state,
    trained_tokens: job.trained_tokens,
    training_file: job.training_file,
    user_provided_suffix: job.suffix,
    validation_file: job.validation_file,
    tunefleet: { ...job.settings, waiting },
  };
}

export function viewCheckpoint(job: JobRecord, checkpoint: Checkpoint): FineTuningJobCheckpoint {
  return {
    id: checkpointId(job, checkpoint.step),
    object: 'fine_tuning.job.checkpoint',
    created_at: checkpoint.created_at,
    fine_tuned_model_checkpoint: checkpointModelId(job, checkpoint.step),
    fine_tuning_job_id: job.id,
    step_number: checkpoint.step,
    metrics: { step: checkpoint.step, ...checkpoint.metrics },
  };
}
