import type { LlamaConfig } from '@tunefleet/model-formats';
import { alike, type PassCost, PassPlan, type PlannedSpec } from './pass.js';
import type { Rates } from './rates.js';

/** A run as it is known before it begins. */
export interface PlannedRun extends PlannedSpec {
  batch_size: number;
  micro_batch_size: number;
  steps: number;
  data: {
    examples: number;
    tokens: number;
    trained_tokens: number;
    /** tokens of the longest example */
    longest: number;
  };
}

export interface RunEstimate {
  seconds: number;
  peak_memory_bytes: number;
  /** the widest relative errors that were seen */
  error: { seconds: number; peak_memory_bytes: number };
}

/** Making a session: seconds an operator, measured on graphs of 4,000 to 8,000 (2.5 to 3.3 s for 4,571). */
const START_SECONDS = 0.0006;
/** Calling an operator, however little it does. */
const CALL_SECONDS = 5e-6;

/** The widest seen (docs/benchmarks.md, "Memory of training"): time on a busy machine alone, 21.2 s said for 32.1 s; memory 2,486 MB for 2,824 MB. */
const ERROR = { seconds: 0.35, peak_memory_bytes: 0.12 };

/** Memory of the largest micro-batch there can be, time of average ones. */
export function estimateRun(config: LlamaConfig, run: PlannedRun, rates: Rates): RunEstimate {
  const { examples, tokens, trained_tokens, longest } = run.data;
  const plan = new PassPlan(config, run);
  const trained = trained_tokens / tokens;
  const rows = (count: number, length: number) => {
    const whole = Math.max(2, Math.round(length));
    return alike(count, whole, Math.max(1, Math.round(whole * trained)));
  };
  const micro = Math.min(run.micro_batch_size, examples);
  const accumulates = run.batch_size > micro;
  const mean = plan.cost(rows(micro, tokens / examples), accumulates);
  const largest = plan.cost(rows(micro, longest), accumulates);
  const passes = Math.ceil(Math.min(run.batch_size, examples) / micro);
  const step = passes * passSeconds(mean, rates) + plan.trained / rates.update;
  return { seconds: START_SECONDS * mean.operators + run.steps * step, peak_memory_bytes: Math.ceil(largest.memory), error: ERROR };
}

export const passSeconds = ({ work, operators }: PassCost, rates: Rates): number =>
  Object.entries(work).reduce((sum, [kind, amount]) => sum + amount / rates[kind as keyof Rates], CALL_SECONDS * operators);
