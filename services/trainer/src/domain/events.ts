import { type FineTuningJobEvent, deriveId, type MetricsRow } from '@tunefleet/contracts';
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

/** At most this many metrics events a job: with more steps, every n-th and the last. */
export const METRICS_EVENTS = 1000;

export const hasEvent = (step: number, steps: number): boolean => step === steps || step % Math.ceil(steps / METRICS_EVENTS) === 0;

/** A metrics row with the time (ms) at which it was first reported. */
export type TimedRow = MetricsRow & { at: number };

/** The event of one step; its id is derived, so that a resumed attempt's repeat is the same event. */
export function metricsEvent(job: Pick<JobRecord, 'id'>, row: TimedRow, steps: number): FineTuningJobEvent {
  const validation = row.valid_loss === undefined ? '' : `, validation loss=${row.valid_loss.toFixed(4)}`;
  return {
    id: `ftevent-${job.id}-m${row.step}`,
    object: 'fine_tuning.job.event',
    created_at: Math.floor(row.at / 1000),
    level: 'info',
    message: `Step ${row.step}/${steps}: training loss=${row.train_loss.toFixed(4)}${validation}`,
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

/** All events of a job, newest first: its life, and its metrics by step. Ids are derived from place, never random. */
export function allEvents(job: JobRecord, rows: TimedRow[]): FineTuningJobEvent[] {
  const life = job.work.events.map((event, i) => ({
    at: event.at,
    rank: 0,
    order: i,
    event: {
      id: deriveId('event', job.id, String(i)),
      object: 'fine_tuning.job.event' as const,
      created_at: Math.floor(event.at / 1000),
      level: event.level,
      message: event.message,
      type: 'message' as const,
      data: event.data ?? null,
    },
  }));
  const steps = job.plan?.steps ?? 0;
  const metrics = rows
    .filter((row) => hasEvent(row.step, steps))
    .map((row) => ({ at: row.at, rank: 1, order: row.step, event: metricsEvent(job, row, steps) }));
  return [...life, ...metrics].sort((a, b) => b.at - a.at || a.rank - b.rank || b.order - a.order).map(({ event }) => event);
}
