/** One example: token ids and, per id, the loss weight on predicting it (the first is unused). */
export interface Example {
  ids: Int32Array;
  weights: Float32Array;
}

/**
 * Examples laid end to end, so that linear layers compute no pads, with the indices that spread them over [examples, span] for attention and back.
 * A token after an example's last trained one cannot change the loss and is left out.
 */
export interface PackedExamples {
  /** [tokens] inputs of the model */
  ids: Int32Array;
  /** [tokens] place within the example, from 0 */
  positions: Int32Array;
  /** [examples] tokens of each */
  lengths: Int32Array;
  /** longest example */
  span: number;
  /** [examples * span] token of each slot; 0 where the slot is a pad */
  tokenOfSlot: Int32Array;
  /** [tokens] slot of each token */
  slotOfToken: Int32Array;
  /** [trained] token from whose hidden state a trained-on id is predicted, ascending */
  trainedTokens: Int32Array;
  /** [tokens] place among the trained, or `trained` where none is predicted */
  trainedOfToken: Int32Array;
  /** [trained] the id to predict */
  targets: Int32Array;
  /** [trained] loss weight */
  weights: Float32Array;
}

/** Examples without any trained-on id contribute nothing and are dropped; null where none is left. */
export function packExamples(examples: readonly Example[]): PackedExamples | null {
  const kept = examples.map((example) => ({ ...example, length: inputLength(example) })).filter(({ length }) => length > 0);
  if (kept.length === 0) return null;
  const lengths = Int32Array.from(kept, ({ length }) => length);
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const span = lengths.reduce((a, b) => Math.max(a, b), 0);
  const packed = {
    ids: new Int32Array(tokens),
    positions: new Int32Array(tokens),
    lengths,
    span,
    tokenOfSlot: new Int32Array(kept.length * span),
    slotOfToken: new Int32Array(tokens),
  };
  const trained: { token: number; target: number; weight: number }[] = [];
  let token = 0;
  kept.forEach(({ ids, weights, length }, example) => {
    for (let position = 0; position < length; position++, token++) {
      const slot = example * span + position;
      packed.ids[token] = ids[position]!;
      packed.positions[token] = position;
      packed.slotOfToken[token] = slot;
      packed.tokenOfSlot[slot] = token;
      const weight = weights[position + 1]!;
      if (weight !== 0) trained.push({ token, target: ids[position + 1]!, weight });
    }
  });
  const trainedOfToken = new Int32Array(tokens).fill(trained.length);
  trained.forEach((entry, place) => {
    trainedOfToken[entry.token] = place;
  });
  return {
    ...packed,
    trainedTokens: Int32Array.from(trained, (entry) => entry.token),
    trainedOfToken,
    targets: Int32Array.from(trained, (entry) => entry.target),
    weights: Float32Array.from(trained, (entry) => entry.weight),
  };
}

/** Number of leading ids that the model must read: all before the last trained-on one. */
function inputLength({ weights }: Example): number {
  let last = weights.length - 1;
  while (last > 0 && weights[last] === 0) last--;
  return Math.max(0, last);
}
