import type { LoraSettings } from '@tunefleet/model-formats';
import type { BasePrecision, Example } from '@tunefleet/models';
import type { CompiledCache, Precision, Provider } from '@tunefleet/tensor';
import type { ScheduleSpec } from './schedules/schedule.js';

/** Rows by number; `get` may read from disk but answers at once. */
export interface ExampleSource {
  count: number;
  /** ids of the row and, per id, the loss weight on predicting it (the first is unused) */
  get(index: number): Example;
}

/** PEFT's LoRA, with its settings by its names. */
export interface LoraSpec extends LoraSettings {
  type: 'lora';
}

/** A whole training run. The same spec on the same data gives the same bytes (for one engine identity). */
export interface TrainingSpec {
  /** Hugging Face folder of the base */
  base: string;
  /** what an adapter says its base is; default: the folder's name */
  base_name?: string;
  /**
   * Default: a language model. Classification puts a head with these classes on the base, or goes on with the base's own if it has the
   * same.
   */
  task?: { type: 'causal_lm' } | { type: 'classification'; labels: string[] };
  /** Classification only: the head alone learns, from the base's output in evaluation mode, which is computed once. */
  freeze?: { backbone: true };
  /** of the base's linear modules; `int4` with LoRA only. Default float32 */
  base_precision?: BasePrecision;
  /** What products compute in; weights, moments and sums are float32. float16 comes with loss scaling. Default float32 */
  precision?: Precision;
  /** Where the passes run. auto: as `chooseProvider` of tensor finds, which `onPhase` is told. Default cpu */
  provider?: Provider | 'auto';
  /**
   * Where weights, gradients and moments are kept from step to step. Default: in this process on the CPU, elsewhere in the provider's
   * memory.
   */
  state?: 'host' | 'device';
  adapter: { type: 'full' } | LoraSpec;
  /**
   * rows that embedding and head are to have at least, for tokens that `base`'s tokenizer files name beyond its own; those files are
   * written along
   */
  vocabulary?: number;
  /** PEFT folder whose adapter is trained on (LoRA only) */
  continueFrom?: string;
  optimizer: {
    type: 'adamw';
    learning_rate: number;
    betas: [number, number];
    eps: number;
    weight_decay: number;
    /** global norm that gradients are clipped to */
    max_grad_norm: number;
    /** a step whose loss or gradient is no finite number ends the run (default), or changes nothing and is skipped: 10 in a row at most */
    non_finite?: 'stop' | 'skip';
    schedule: ScheduleSpec;
  };
  epochs: number;
  /** examples an optimizer step */
  batch_size: number;
  /** examples packed into one forward and backward pass; speed and memory only, up to rounding */
  micro_batch_size: number;
  max_steps: number | null;
  shuffle: boolean;
  seed: number;
  /**
   * `lean`: layers are computed again in the backward pass instead of kept, weights are not copied; slower, close (1e-5) to `fast`, the
   * default
   */
  memory?: 'fast' | 'lean';
  /** bytes that the process may use; a run that needs more is refused before it begins */
  memory_limit?: number;
  snapshot: { every_steps: number; keep: number };
  threads: number;
  /** where compiled graphs are kept from one process to the next; without it each compiles anew, to the same bytes */
  cache?: CompiledCache;
  /** work folder: snapshots/, checkpoints/, result/ are made in it */
  folder: string;
}

/**
 * One row an optimizer step. Losses are means over trained-on tokens (classification: rows) by weight, accuracies the share of them
 * predicted by the largest logit.
 */
export interface MetricsRow {
  /** from 1 */
  step: number;
  train_loss: number;
  train_accuracy: number;
  learning_rate: number;
  /** tokens of the step's rows, trained on or not */
  tokens: number;
  /** at an epoch's end and at the last step, where validation rows are given */
  valid_loss?: number;
  valid_accuracy?: number;
  /**
   * The step changed no weight, because this was no finite number on these rows. Loss and accuracy are then those of the micro-batches
   * before it.
   */
  skipped?: { quantity: 'loss' | 'gradient'; rows: number[] };
}

export type StopSignal = 'continue' | 'pause' | 'stop';

export interface TrainingHooks {
  onStep(row: MetricsRow): void;
  /** a whole snapshot lies in the folder */
  onSnapshot(folder: string, step: number): void;
  /** a servable model (Hugging Face or PEFT folder) lies in the folder; `epoch` counts from 1 */
  onCheckpoint(folder: string, step: number, epoch: number, metrics: MetricsRow): void;
  /** asked between micro-batches. pause: a snapshot is written, then the run ends; stop: it ends at once */
  shouldStop(): StopSignal;
  onPhase?(text: string): void;
}

export interface TrainingOutcome {
  outcome: 'finished' | 'paused' | 'stopped';
  /** optimizer steps done */
  steps: number;
  /** tokens of all rows trained on so far, repeated rows counted again */
  trained_tokens: number;
  /** finished: the result; paused: the snapshot; stopped: the work folder */
  folder: string;
}

/** A run that cannot go on; `code` is stable, `rows` the row numbers of the batch at fault. */
export class TrainingError extends Error {
  constructor(
    readonly code: 'non_finite' | 'invalid_spec' | 'insufficient_memory' | 'snapshot_mismatch',
    message: string,
    readonly rows: readonly number[] = [],
  ) {
    super(message);
    this.name = 'TrainingError';
  }
}
