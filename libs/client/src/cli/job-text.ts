import type { TuningJob } from '../tunefleet.js';
import { duration, fields, time } from './text.js';

const waitingText = ({ tunefleet: { waiting } }: TuningJob): string | null =>
  waiting ? `${waiting.reason}${waiting.place === null ? '' : ` (place ${waiting.place})`}` : null;

/** A job for a person to read. */
export function jobText(job: TuningJob): string {
  const { n_epochs, batch_size, learning_rate_multiplier } = job.hyperparameters;
  const { adapter } = job.tunefleet;
  const waiting = waitingText(job);
  return fields({
    id: job.id,
    status: job.status,
    ...(job.error?.code ? { error: `${job.error.message} (${job.error.code}${job.error.param ? `, ${job.error.param}` : ''})` } : {}),
    ...(waiting === null ? {} : { waits: waiting }),
    model: job.model,
    tuned_model: job.fine_tuned_model,
    training_file: job.training_file,
    ...(job.validation_file === null ? {} : { validation_file: job.validation_file }),
    settings: `${adapter?.type ?? '-'}, ${n_epochs} epochs, batch ${batch_size}, learning rate x ${learning_rate_multiplier}, seed ${job.seed}`,
    trained_tokens: job.trained_tokens,
    created: time(job.created_at),
    ...(job.finished_at === null ? {} : { finished: `${time(job.finished_at)} (after ${duration(job.finished_at - job.created_at)})` }),
    ...(job.estimated_finish === null ? {} : { estimated_finish: time(job.estimated_finish) }),
  });
}

/** One line for a change of status. */
export function statusLine(job: TuningJob): string {
  const waiting = waitingText(job);
  return waiting === null ? `${job.id} ${job.status}` : `${job.id} ${job.status}: ${waiting}`;
}
