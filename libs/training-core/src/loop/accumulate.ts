import type { Batch, Example } from '@tunefleet/models';
import type { ExampleSource } from '../spec.js';
import type { NonFinite } from './non-finite.js';

/** Sums over trained-on tokens (of classification: rows) of one forward (and backward) pass. */
export interface PassSums {
  /** negative log-likelihood times weight */
  loss: number;
  /** tokens of non-zero weight that the largest logit predicts */
  correct: number;
}

/** Sums over a group of micro-batches. */
export interface GroupSums extends PassSums {
  weight: number;
  trained: number;
  tokens: number;
  /** a micro-batch whose loss is not in the sums; those after it were not run */
  fault: NonFinite | null;
}

/** Gives other work of the process (messages of the parent) its turn: the passes themselves are synchronous. */
export const yieldToEvents = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Runs `pass` over the micro-batches of one group and adds up, to the end or to the first loss that is no finite number. Returns null when
 * `interrupted` says so between two of them.
 */
export async function accumulate(
  source: ExampleSource,
  microBatches: readonly (readonly number[])[],
  batchOf: (examples: readonly Example[]) => Batch | null,
  pass: (batch: Batch, microBatch: number) => Promise<PassSums>,
  interrupted: () => boolean,
): Promise<GroupSums | null> {
  const sums: GroupSums = { loss: 0, correct: 0, weight: 0, trained: 0, tokens: 0, fault: null };
  for (const [index, rows] of microBatches.entries()) {
    await yieldToEvents();
    if (interrupted()) return null;
    const examples = rows.map((row) => source.get(row));
    for (const { ids } of examples) sums.tokens += ids.length;
    const batch = batchOf(examples);
    if (!batch) continue;
    const { loss, correct } = await pass(batch, index);
    if (!Number.isFinite(loss)) {
      sums.fault = { quantity: 'loss', value: loss, rows };
      return sums;
    }
    sums.loss += loss;
    sums.correct += correct;
    sums.trained += batch.trained;
    sums.weight += batch.weight;
  }
  return sums;
}

/** Mean loss and accuracy; a group in which nothing is trained on has loss 0. */
export function means({ loss, correct, weight, trained }: GroupSums): { loss: number; accuracy: number } {
  return { loss: weight === 0 ? 0 : loss / weight, accuracy: trained === 0 ? 0 : correct / trained };
}
