import { randomStream } from '@tunefleet/models';
import type { ExampleSource } from '../spec.js';

export interface OrderSpec {
  count: number;
  epochs: number;
  batch_size: number;
  micro_batch_size: number;
  max_steps: number | null;
  shuffle: boolean;
  seed: number;
}

/** One optimizer step: which rows, cut into micro-batches. `epoch` counts from 0. */
export interface StepRows {
  epoch: number;
  lastOfEpoch: boolean;
  microBatches: number[][];
}

/** The order in which rows are trained on: a pure function of the settings, so a resume needs only the number of steps done. */
export interface DataOrder {
  stepsPerEpoch: number;
  totalSteps: number;
  /** rows of the step with this number, from 0 */
  rowsOf(step: number): StepRows;
}

export function dataOrder(spec: OrderSpec): DataOrder {
  const stepsPerEpoch = Math.ceil(spec.count / spec.batch_size);
  const totalSteps = Math.min(spec.epochs * stepsPerEpoch, spec.max_steps ?? Number.POSITIVE_INFINITY);
  let held: { epoch: number; rows: Uint32Array } = { epoch: -1, rows: new Uint32Array(0) };
  return {
    stepsPerEpoch,
    totalSteps,
    rowsOf(step) {
      const epoch = Math.floor(step / stepsPerEpoch);
      if (held.epoch !== epoch) held = { epoch, rows: epochOrder(spec, epoch) };
      const start = (step % stepsPerEpoch) * spec.batch_size;
      const rows = [...held.rows.subarray(start, start + spec.batch_size)];
      const microBatches: number[][] = [];
      for (let i = 0; i < rows.length; i += spec.micro_batch_size) microBatches.push(rows.slice(i, i + spec.micro_batch_size));
      return { epoch, lastOfEpoch: step % stepsPerEpoch === stepsPerEpoch - 1, microBatches };
    },
  };
}

/** Row numbers of one epoch: file order, or a Fisher-Yates shuffle that depends on seed and epoch alone. */
function epochOrder({ count, shuffle, seed }: OrderSpec, epoch: number): Uint32Array {
  const rows = Uint32Array.from({ length: count }, (_, i) => i);
  if (!shuffle) return rows;
  const random = randomStream(seed, 'shuffle', epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const held = rows[i]!;
    rows[i] = rows[j]!;
    rows[j] = held;
  }
  return rows;
}

/** Tokens that validation packs into one forward pass, whatever the micro-batches of training are. */
export const VALIDATION_TOKENS = 512;

/** All rows in order, cut into groups of at most `tokens` tokens; a longer row is a group of its own. */
export function packedByTokens(source: ExampleSource, tokens: number): number[][] {
  const groups: number[][] = [];
  let room = 0;
  for (let row = 0; row < source.count; row++) {
    const { length } = source.get(row).ids;
    if (length > room || groups.length === 0) {
      groups.push([]);
      room = tokens;
    }
    groups.at(-1)!.push(row);
    room -= length;
  }
  return groups;
}
