/** One example: token ids and what is predicted of them. */
export interface Example {
  ids: Int32Array;
  /** of a language model, per id: the loss weight on predicting it (the first is unused); empty in classification */
  weights: Float32Array;
  /** of classification: the number of the row's class */
  label?: number;
}

/**
 * Examples laid end to end, so that linear layers compute no pads, which attention alone spreads over [examples, span].
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
  /** [trained] token from whose hidden state a trained-on id is predicted, ascending */
  trainedTokens: Int32Array;
  /** [tokens] place among the trained, or `trained` where none is predicted */
  trainedOfToken: Int32Array;
  /** [trained] the id to predict */
  targets: Int32Array;
  /** [trained] loss weight */
  weights: Float32Array;
}

/** One prediction: from a token's hidden state, of an id or a class. */
interface Prediction {
  token: number;
  target: number;
  weight: number;
}

/** Examples without any trained-on id contribute nothing and are dropped; null where none is left. */
export function packExamples(examples: readonly Example[]): PackedExamples | null {
  const kept = examples.map((example) => ({ ...example, length: inputLength(example) })).filter(({ length }) => length > 0);
  return layOut(kept, ({ ids, weights, length }, start) =>
    Array.from({ length }, (_, position) => ({
      token: start + position,
      target: ids[position + 1]!,
      weight: weights[position + 1]!,
    })).filter(({ weight }) => weight !== 0),
  );
}

/** One prediction an example: its class, from its first or last token. */
export function packClassified(examples: readonly Example[], from: 'first' | 'last'): PackedExamples | null {
  const whole = examples.map((example) => ({ ...example, length: example.ids.length }));
  return layOut(whole, ({ label, length }, start) => {
    if (label === undefined) throw new Error('an example of classification needs a label');
    return [{ token: from === 'first' ? start : start + length - 1, target: label, weight: 1 }];
  });
}

type Sized = Example & { length: number };

/** `predicted`: the predictions of an example whose first token is `start`, tokens ascending. */
function layOut(kept: readonly Sized[], predicted: (example: Sized, start: number) => Prediction[]): PackedExamples | null {
  if (kept.length === 0) return null;
  const lengths = Int32Array.from(kept, ({ length }) => length);
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const span = lengths.reduce((a, b) => Math.max(a, b), 0);
  const packed = {
    ids: new Int32Array(tokens),
    positions: new Int32Array(tokens),
    lengths,
    span,
  };
  const trained: Prediction[] = [];
  let token = 0;
  kept.forEach((example) => {
    trained.push(...predicted(example, token));
    for (let position = 0; position < example.length; position++, token++) {
      packed.ids[token] = example.ids[position]!;
      packed.positions[token] = position;
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
