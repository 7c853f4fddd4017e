import { FACTORS_A_STEP, MASK_CHUNK, maskKernel } from './mask-kernel.js';
import { PURPOSE, seedKey } from './stream.js';

/** A draw is 16 bits: the share that is dropped is off by 2^-17 at most. */
const DRAWS = 65_536;
/** Blocks of Philox a chunk of factors: eight factors a block. */
const BLOCKS_A_CHUNK = (4 * MASK_CHUNK) / FACTORS_A_STEP;

/**
 * Inverted dropout: `count` factors, 0 for the share `probability` and 1 / (1 - probability) for the rest.
 * @param step, site coordinates of the stream: the same mask however often it is asked for
 */
export function dropoutMask(seed: number, step: number, site: number, probability: number, count: number): Float32Array {
  const mask = new Float32Array(count);
  const kernel = maskKernel();
  const fixed = {
    key: seedKey(seed),
    counter: [site >>> 0, step >>> 0, PURPOSE.dropout] as const,
    threshold: Math.round(probability * DRAWS),
    kept: 1 / (1 - probability),
  };
  for (let from = 0; from < count; from += MASK_CHUNK) {
    const block = (from / MASK_CHUNK) * BLOCKS_A_CHUNK;
    mask.set(kernel({ ...fixed, block, count: Math.min(MASK_CHUNK, count - from) }), from);
  }
  return mask;
}
