import type { DeviceTensor, Feed, Tensor, TensorData } from '@tunefleet/tensor';
import type { RowsRead } from '../loop/touched-rows.js';
import type { SnapshotState } from '../snapshot/snapshot.js';

/** Gradients of a group of micro-batches, summed where they are. */
export interface GradientSum {
  /** Where a pass writes its gradients, by the names of its outputs; `first`: of its group. Those without a place are handed to `add`. */
  places(first: boolean): Readonly<Record<string, TensorData | DeviceTensor>>;
  /**
   * A pass has written its gradients: they are part of the sum, which begins with the first. `rows`: what the batch read of tables that
   * learn by rows.
   */
  add(first: boolean, results: Readonly<Record<string, Tensor>>, rows: RowsRead): Promise<void>;
  /** A group in which nothing was trained on. */
  clear(): Promise<void>;
}

/** Parameters, gradients and AdamW's moments of a run, in the memory where they stay from step to step. */
export interface TrainingState {
  /** What a graph is fed of the parameters, by the names of the layout's slots. */
  readonly parameters: Readonly<Record<string, Feed>>;
  readonly gradients: GradientSum;
  /** What a run begins with: `fill` writes it into arrays that are zero. */
  begin(fill: (state: SnapshotState) => Promise<void>): Promise<void>;
  /** Euclidean norm of the gradient sum times `factor`; not finite where an element is not, or where it is too large to be told. */
  norm(factor: number): Promise<number>;
  /** One step of AdamW with the gradient sum times `factor`. */
  update(factor: number, rate: number): Promise<void>;
  /** AdamW's steps so far. */
  readonly updates: number;
  /** The parameters in this process's memory, laid out as the layout says, until the next update. */
  readParameters(): Promise<Float32Array>;
  /** Parameters and moments likewise. */
  read(): Promise<SnapshotState>;
  release(): Promise<void>;
}
