import { ApiError, type JobCreateBody } from '@tunefleet/contracts';

export interface Requested {
  batch_size: 'auto' | number;
  learning_rate_multiplier: 'auto' | number;
  n_epochs: 'auto' | number;
}

const KEYS = ['batch_size', 'learning_rate_multiplier', 'n_epochs'] as const;

/** Hyperparameters at the top level (deprecated) and under `method.supervised`: either place, or both where they agree. */
export function requestedHyperparameters(body: JobCreateBody): Requested {
  const top = body.hyperparameters ?? {};
  const method = body.method?.supervised?.hyperparameters ?? {};
  for (const key of KEYS) {
    if (top[key] !== undefined && method[key] !== undefined && top[key] !== method[key])
      throw new ApiError(
        'invalid_value',
        `'hyperparameters.${key}' is ${top[key]} but 'method.supervised.hyperparameters.${key}' is ${method[key]}. Send one of them.`,
        { param: `hyperparameters.${key}` },
      );
  }
  const pick = <K extends (typeof KEYS)[number]>(key: K): Requested[K] => method[key] ?? top[key] ?? 'auto';
  return { batch_size: pick('batch_size'), learning_rate_multiplier: pick('learning_rate_multiplier'), n_epochs: pick('n_epochs') };
}

/** Examples that an `auto` number of epochs aims for at least and at most, and its usual number of epochs: the rule OpenAI published for its own `auto`. */
const EXAMPLES_MIN = 100;
const EXAMPLES_MAX = 25_000;
const EPOCHS_USUAL = 3;
const EPOCHS_MAX = 25;

/** 3 epochs; more (25 at most) where 3 would show fewer than 100 examples, fewer (1 at least) where 3 would show more than 25,000. */
export function autoEpochs(rows: number): number {
  if (rows * EPOCHS_USUAL < EXAMPLES_MIN) return Math.min(EPOCHS_MAX, Math.max(1, Math.floor(EXAMPLES_MIN / rows)));
  if (rows * EPOCHS_USUAL > EXAMPLES_MAX) return Math.max(1, Math.floor(EXAMPLES_MAX / rows));
  return EPOCHS_USUAL;
}

/** 0.2 % of the rows, at least 4 (or all rows, or one micro-batch), at most 256. */
export function autoBatchSize(rows: number, microBatch: number): number {
  const least = Math.max(4, microBatch);
  return Math.max(1, Math.min(256, rows, Math.max(least, Math.round(rows * 0.002))));
}

export interface Resolved {
  batch_size: number;
  n_epochs: number;
  /** Optimizer steps of the whole job. */
  steps: number;
}

/** The numbers that a job trains with, once the rows left after preparation are known. */
export function resolveHyperparameters(requested: Requested, rows: number, microBatch: number, maxSteps: number | null): Resolved {
  const batch = requested.batch_size === 'auto' ? autoBatchSize(rows, microBatch) : requested.batch_size;
  const epochs = requested.n_epochs === 'auto' ? autoEpochs(rows) : requested.n_epochs;
  return { batch_size: batch, n_epochs: epochs, steps: Math.min(epochs * Math.ceil(rows / batch), maxSteps ?? Number.POSITIVE_INFINITY) };
}
