/** One example as a model is trained on it. */
export interface Example {
  /** Tokens, [length]. */
  ids: Int32Array;
  /** Weight of the loss of predicting `ids[i]` from the tokens before it, [length]; the first is 0. */
  weights: Float32Array;
  /** Line of the file that it comes from, from 1. */
  row: number;
  /** Of classification: the number of its class, by the manifest's `labels`; the whole text is read for it, and `weights` are 0. */
  label?: number;
}

/** Tokens that an example is trained on. */
export function trainedTokens({ weights, label }: Pick<Example, 'weights' | 'label'>): number {
  if (label !== undefined) return weights.length;
  let count = 0;
  for (const weight of weights) if (weight !== 0) count += 1;
  return count;
}
