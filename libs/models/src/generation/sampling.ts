import { randomStream } from '../random/stream.js';

export interface SamplingSettings {
  /** 0: greedy */
  temperature: number;
  /** nucleus (Holtzman et al., "The curious case of neural text degeneration"): the smallest set of likeliest ids of this mass; 1: all */
  top_p: number;
  seed: number;
}

/** The largest logit's id; of equal ones the first, as PyTorch's argmax. */
export function greedy(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}

/**
 * Draws an id. The draw depends on seed and position alone, so the same request gives the same text again.
 * @param position number of ids before this one: the counter of the generator
 */
export function sample(logits: Float32Array, { temperature, top_p, seed }: SamplingSettings, position: number): number {
  if (temperature === 0) return greedy(logits);
  const largest = logits[greedy(logits)]!;
  const masses = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const total = masses.reduce((a, b) => a + b, 0);
  const order = top_p < 1 ? nucleus(masses, total * top_p) : Uint32Array.from(masses, (_, id) => id);
  let rest = randomStream(seed, 'sampling', position).uniform() * order.reduce((sum, id) => sum + masses[id]!, 0);
  for (const id of order) {
    rest -= masses[id]!;
    if (rest < 0) return id;
  }
  return order.at(-1)!;
}

/** Ids from the likeliest on until their mass reaches `mass`. Equal masses: the lower id first. */
function nucleus(masses: Float64Array, mass: number): Uint32Array {
  const order = Uint32Array.from(masses, (_, id) => id).sort((a, b) => masses[b]! - masses[a]! || a - b);
  let sum = 0;
  let kept = 0;
  while (kept < order.length && (kept === 0 || sum < mass)) sum += masses[order[kept++]!]!;
  return order.subarray(0, kept);
}

export interface TokenLogprob {
  id: number;
  logprob: number;
}

export interface TokenLogprobs extends TokenLogprob {
  /** the likeliest ids, likeliest first */
  top: TokenLogprob[];
}

/** Natural logarithms of the probabilities (temperature 1) of `id` and of the `top` likeliest ids. */
export function logprobs(logits: Float32Array, id: number, top: number): TokenLogprobs {
  const largest = logits[greedy(logits)]!;
  const normalizer = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  const likeliest =
    top === 0
      ? []
      : [
          ...Uint32Array.from(logits, (_, i) => i)
            .sort((a, b) => logits[b]! - logits[a]! || a - b)
            .subarray(0, top),
        ];
  return { id, logprob: logits[id]! - normalizer, top: likeliest.map((i) => ({ id: i, logprob: logits[i]! - normalizer })) };
}
