import { TrainingError } from '../spec.js';

/** A sum that overflowed or is no number, and the rows it was taken over. */
export interface NonFinite {
  quantity: 'loss' | 'gradient';
  value: number;
  rows: readonly number[];
}

/** More steps than this given up one after another end a run that skips them: the weights are at fault then, not a batch. */
export const SKIPPED_IN_A_ROW = 10;

const NAMES = { loss: 'the loss', gradient: "the gradient's norm" } as const;

/** @param after what else there is to say of it, " in validation" for example */
export function nonFiniteError({ quantity, value, rows }: NonFinite, after = ''): TrainingError {
  return new TrainingError('non_finite', `${NAMES[quantity]} is ${value} on rows ${rows.join(', ')}${after}`, rows);
}
