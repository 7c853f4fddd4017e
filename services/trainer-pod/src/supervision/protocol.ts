import type { MetricsRow } from '@tunefleet/contracts';
import type { ChosenProvider, EngineIdentity, TrainingSpec } from '@tunefleet/training-core';

export type { EngineIdentity };

/**
 * `spec.json` of a training process: settings alone. What it reads lies beside it: `base/`, `adapter/` (a job that continues one), `data/train/`,
 * `data/valid/`, and the snapshot to go on from in `snapshots/<step>/`. It writes `snapshots/`, `checkpoints/<step>/` and `result/`.
 */
export type ProcessSpec = Omit<TrainingSpec, 'base' | 'folder' | 'continueFrom' | 'task' | 'vocabulary' | 'memory_limit'> & {
  continues: boolean;
  validates: boolean;
  /** The prepared rows have classes, which their manifest names. */
  classifies: boolean;
  /** tokens that `base/tokenizer.json` gains first */
  added_tokens: string[];
  /** bytes that the pod was told it may use, beside what its cgroup says; null: not told */
  declared_memory: number | null;
};

/** Training process -> pod, in the order in which things happened. Folders are whole when named. */
export type FromTraining =
  /** `computes`: what on, and why. `resumed`: the step gone on from, null at the beginning. `exact` is false when that snapshot was made by another engine. */
  | { type: 'started'; resumed: number | null; engine: EngineIdentity; exact: boolean; computes: ChosenProvider }
  | { type: 'step'; row: MetricsRow }
  | { type: 'snapshot'; step: number; folder: string }
  | { type: 'checkpoint'; step: number; epoch: number; folder: string; metrics: MetricsRow; weights_sha256: string }
  | { type: 'finished'; step: number; folder: string; weights_sha256: string; trained_tokens: number }
  /** A snapshot of this step was named before; the process exits with `EXIT.drained`. */
  | { type: 'yielded'; step: number }
  | { type: 'failed'; code: string; message: string; permanent: boolean };

/** Pod -> training process: write a snapshot at the next step boundary, then exit. */
export type ToTraining = { type: 'yield' };
