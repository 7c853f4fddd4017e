import type { Backbone } from '@tunefleet/model-formats';
import type { Example, FeatureExample } from '@tunefleet/models';
import type { Work } from '@tunefleet/tensor';
import { VALIDATION_TOKENS } from '../loop/order.js';
import { type FeaturesCost, featuresCost } from './features.js';
import { alike, PassPlan } from './pass.js';
import { type PlannedSpec, plannedModel } from './planned-model.js';
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
  /** rows that are validated on, if any */
  validation?: { longest: number } | null;
}

export interface RunEstimate {
  seconds: number;
  peak_memory_bytes: number;
  /** the widest relative errors that were seen */
  error: { seconds: number; peak_memory_bytes: number };
}

/** Making a session: seconds an operator, measured on graphs of 4,000 to 8,000 (2.5 to 3.3 s for 4,571). */
const START_SECONDS = 0.0006;
/** Calling an operator, however little it does: what a step of 8,000 takes beyond its kernels, and its views. */
const CALL_SECONDS = 8e-6;

/**
 * The widest seen (docs/benchmarks.md, "Memory and time foretold"): 128 tokens lean, 0.63 s said for 0.87; 4,096 tokens lean, 2,860 MiB
 * said for 2,571.
 */
const ERROR = { seconds: 0.28, peak_memory_bytes: 0.12 };

/** Resident bytes of the training process at their highest: those of the largest micro-batch there can be. */
export const estimateMemory = (base: Backbone, run: PlannedRun): number => new Estimate(base, run).memory();

/** Memory of the largest micro-batch there can be, time of average ones. */
export function estimateRun(base: Backbone, run: PlannedRun, rates: Rates): RunEstimate {
  const estimate = new Estimate(base, run);
  return { seconds: estimate.seconds(rates), peak_memory_bytes: estimate.memory(), error: ERROR };
}

class Estimate {
  readonly #plan: PassPlan;
  readonly #micro: number;
  readonly #accumulates: boolean;
  /** A frozen backbone runs over every row before the first step. */
  readonly #features: FeaturesCost | null;

  constructor(
    readonly base: Backbone,
    readonly run: PlannedRun,
  ) {
    this.#plan = new PassPlan(plannedModel(base, run), run.memory ?? 'fast');
    this.#micro = Math.min(run.micro_batch_size, run.data.examples);
    this.#accumulates = run.batch_size > this.#micro;
    this.#features = run.freeze ? featuresCost(base, run.data) : null;
  }

  memory(): number {
    const { data, validation } = this.run;
    const training = this.#plan.cost(this.#rows(this.#micro, data.longest), this.#accumulates).memory;
    const packed = (longest: number): number => Math.max(1, Math.floor(VALIDATION_TOKENS / longest));
    const validating = validation ? this.#plan.validation(this.#rows(packed(validation.longest), validation.longest)) : 0;
    return Math.ceil(training + validating + (this.#features?.memory ?? 0));
  }

  seconds(rates: Rates): number {
    const { data, batch_size, steps } = this.run;
    const pass = this.#plan.cost(this.#rows(this.#micro, data.tokens / data.examples), this.#accumulates);
    const passes = Math.ceil(Math.min(batch_size, data.examples) / this.#micro);
    const step = passes * secondsOf(pass, rates) + this.#plan.trained / rates.update;
    const before = this.#features ? START_SECONDS * this.#features.operators + secondsOf(this.#features, rates) : 0;
    return before + START_SECONDS * pass.operators + steps * step;
  }

  /** Trained on as much as the data are on the whole. */
  #rows(count: number, length: number): Example[] {
    const { tokens, trained_tokens } = this.run.data;
    const whole = Math.max(2, Math.round(length));
    const rows = alike(count, whole, Math.max(1, Math.round((whole * trained_tokens) / tokens)));
    if (!this.#features) return rows;
    const features = new Float32Array(this.base.config.hiddenSize);
    return rows.map((row): FeatureExample => ({ ...row, features }));
  }
}

const secondsOf = ({ work, operators, passes = 1 }: { work: Work; operators: number; passes?: number }, rates: Rates): number =>
  passes * Object.entries(work).reduce((sum, [kind, amount]) => sum + amount / rates[kind as keyof Rates], CALL_SECONDS * operators);
