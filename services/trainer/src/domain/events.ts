import type { FineTuningJobEvent, MetricsRow } from '@tunefleet/contracts';
import type { EventTexts, LifeEvent } from '@tunefleet/jobs';
import type { JobRecord } from '../store/job-record.js';

/** Texts of the life of a job, as OpenAI writes them. */
export const EVENT = {
  created: () => 'Created fine-tuning job',
  validating: (file: string) => `Validating training file: ${file}`,
  validatingBoth: (file: string, validation: string) => `Validating training file: ${file} and validation file: ${validation}`,
  queued: () => 'Files validated, moving job to queued state',
  started: () => 'Fine-tuning job started',
  checkpoint: (step: number) => `Checkpoint created at step ${step}`,
  model: (id: string) => `New fine-tuned model created: ${id}`,
  succeeded: () => 'Fine tuning job successfully completed',
} as const;

/** At most this many metrics events a job, beside those of skipped steps: with more steps, every n-th and the last. */
export const METRICS_EVENTS = 1000;

export const hasEvent = (step: number, steps: number): boolean => step === steps || step % Math.ceil(steps / METRICS_EVENTS) === 0;

/** A metrics row with the time (ms) at which it was first reported. */
export type TimedRow = MetricsRow & { at: number };

const outcomeOf = ({ train_loss, skipped }: MetricsRow): string =>
  skipped
    ? `skipped, because the ${skipped.quantity} is not a finite number on rows ${skipped.rows.join(', ')}`
    : `training loss=${train_loss.toFixed(4)}`;

/** The event of one step; its id is derived, so that a resumed attempt's repeat is the same event. */
export function metricsEvent(job: Pick<JobRecord, 'id'>, row: TimedRow, steps: number): FineTuningJobEvent {
  const validation = row.valid_loss === undefined ? '' : `, validation loss=${row.valid_loss.toFixed(4)}`;
  return {
    id: `ftevent-${job.id}-m${row.step}`,
    object: 'fine_tuning.job.event',
    created_at: Math.floor(row.at / 1000),
    level: row.skipped ? 'warn' : 'info',
    message: `Step ${row.step}/${steps}: ${outcomeOf(row)}${validation}`,
    type: 'metrics',
    data: {
      step: row.step,
      train_loss: row.train_loss,
      train_mean_token_accuracy: row.train_accuracy,
      learning_rate: row.learning_rate,
      total_steps: steps,
      ...(row.valid_loss === undefined ? {} : { valid_loss: row.valid_loss }),
      ...(row.valid_accuracy === undefined ? {} : { valid_mean_token_accuracy: row.valid_accuracy }),
    },
  };
}

const CHECKPOINT = 'checkpoint-';
/** Name of the life-cycle event of a checkpoint: it says behind which step it stands. */
export const checkpointEvent = (step: number): string => `${CHECKPOINT}${step}`;

const viewLife = ({ name: _name, ...event }: LifeEvent): FineTuningJobEvent => ({
  ...event,
  object: 'fine_tuning.job.event',
  type: 'message',
  data: {},
});

/** Names of events that stand before the steps of the same second: what they tell of lets steps begin. */
const BEFORE_STEPS = new Set(['created', 'queued', 'started', 'resumed', 'lost', 'retried', 'drained']);

/** Whether a life-cycle event comes before the row of a step, both in the order in which they happened. */
function goesFirst(event: LifeEvent, row: TimedRow): boolean {
  if (event.name.startsWith(CHECKPOINT)) return Number(event.name.slice(CHECKPOINT.length)) < row.step;
  const second = Math.floor(row.at / 1000);
  return event.created_at < second || (event.created_at === second && BEFORE_STEPS.has(event.name));
}

/** All events of a job, newest first: its life merged with its metrics. Nothing is repeated, whatever attempts there were. */
export function allEvents(job: JobRecord, rows: TimedRow[]): FineTuningJobEvent[] {
  const steps = job.plan?.steps ?? 0;
  const told = rows.filter((row) => row.skipped || hasEvent(row.step, steps));
  const events: FineTuningJobEvent[] = [];
  let next = 0;
  for (const event of job.work.events) {
    while (next < told.length && !goesFirst(event, told[next]!)) events.push(metricsEvent(job, told[next++]!, steps));
    events.push(viewLife(event));
  }
  while (next < told.length) events.push(metricsEvent(job, told[next++]!, steps));
  return events.reverse();
}

/** What each move of a job says. */
export const lifeTexts: EventTexts<JobRecord> = (name, job) => {
  const { training_file, validation_file } = job;
  switch (name) {
    case 'created':
      return [
        { message: EVENT.created() },
        { message: validation_file ? EVENT.validatingBoth(training_file, validation_file) : EVENT.validating(training_file) },
      ];
    case 'queued':
      return { message: EVENT.queued() };
    case 'started':
      return { message: job.work.attempt > 1 ? `Fine-tuning job started again (attempt ${job.work.attempt})` : EVENT.started() };
    case 'pausing':
      return { message: 'Fine-tuning job is pausing' };
    case 'paused':
      return { message: 'Fine-tuning job paused' };
    case 'resumed':
      return { message: 'Fine-tuning job resumed' };
    case 'lost':
      return { message: 'The trainer pod fell silent; the job goes on from its last snapshot', level: 'warn' };
    case 'retried':
      return { message: 'An attempt failed; the job is tried again', level: 'warn' };
    case 'drained':
      return { message: 'The trainer pod was drained; the job goes on from its last snapshot' };
    case 'succeeded':
      return [{ message: EVENT.model(job.fine_tuned_model ?? '') }, { message: EVENT.succeeded() }];
    case 'failed':
      return { message: `Fine-tuning job failed: ${job.work.error?.message ?? 'unknown error'}`, level: 'error' };
    case 'cancelled':
      return { message: 'Fine-tuning job cancelled' };
  }
};
