import { argMax, cast, crossEntropy, equal, mul, reduceSum, type Value } from '@tunefleet/tensor';

/** Sums, not means: a group of micro-batches is divided once by its trained-on tokens. */
export interface CausalLmSums {
  /** f32 scalar: negative log-likelihood times weight */
  loss: Value;
  /** f32 scalar: rows whose largest logit is the target */
  correct: Value;
}

/** @param logits [trained, vocabulary], targets [trained] of i32, weights [trained] */
export function causalLm(logits: Value, targets: Value, weights: Value): CausalLmSums {
  return logits.builder.scope('loss', () => ({
    loss: reduceSum(mul(crossEntropy(logits, targets), weights)),
    correct: reduceSum(cast(equal(argMax(logits), targets), 'f32')),
  }));
}
