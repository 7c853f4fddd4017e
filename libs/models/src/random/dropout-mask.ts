import { randomStream } from './stream.js';

/** A draw is 16 bits, two of each random word: the share that is dropped is off by 2^-17 at most. */
const DRAWS = 65_536;

/**
 * Inverted dropout: `count` factors, 0 for the share `probability` and 1 / (1 - probability) for the rest.
 * @param step, site coordinates of the stream: the same mask however often it is asked for
 */
export function dropoutMask(seed: number, step: number, site: number, probability: number, count: number): Float32Array {
  const kept = 1 / (1 - probability);
  const threshold = Math.round(probability * DRAWS);
  const random = randomStream(seed, 'dropout', step, site);
  const mask = new Float32Array(count);
  for (let at = 0; at < count; at += 2) {
    const word = random.word();
    if ((word & 0xffff) >= threshold) mask[at] = kept;
    if (at + 1 < count && word >>> 16 >= threshold) mask[at + 1] = kept;
  }
  return mask;
}
