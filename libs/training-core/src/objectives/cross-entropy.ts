import type { Logits } from '@tunefleet/models';
import { argMax, cast, crossEntropy, equal, mul, reduceSum, type Value } from '@tunefleet/tensor';
import { chunkedCrossEntropySums } from './chunked-cross-entropy.js';

/** Sums, not means: a group of micro-batches is divided once by the weight of what it is trained on. */
export interface CrossEntropySums {
  /** f32 scalar: negative log-likelihood times weight */
  loss: Value;
  /** f32 scalar: rows whose largest logit is the target */
  correct: Value;
}

/** @param logits [trained, classes] (of a language model: its vocabulary), targets [trained] of i32, weights [trained] */
export function crossEntropySums(logits: Logits, targets: Value, weights: Value): CrossEntropySums {
  if ('states' in logits) {
    return targets.builder.scope('loss', () => chunkedCrossEntropySums(logits.states, logits.classes, targets, weights));
  }
  return targets.builder.scope('loss', () => ({
    loss: reduceSum(mul(crossEntropy(logits, targets), weights)),
    correct: reduceSum(cast(equal(argMax(logits), targets), 'f32')),
  }));
}
