import type { ParameterRange } from './adamw.js';
import { CHUNK, kernel } from './kernel.js';

/** Elements that are added up side by side. */
const LANES = 4;

/**
 * Euclidean norm over all gradients, summed in float64 in one fixed order (four lanes: the additions do not wait for each other).
 * @param ranges where gradients may not be zero: ascending, from multiples of four
 */
export function globalNorm(
  gradients: Float32Array,
  ranges: readonly Pick<ParameterRange, 'start' | 'end'>[] = [{ start: 0, end: gradients.length }],
): number {
  const chunk = kernel();
  chunk.sums.fill(0);
  for (const { start, end } of ranges) {
    for (let from = start; from < end; from += CHUNK) {
      const count = Math.min(end - from, CHUNK);
      chunk.gradients.set(gradients.subarray(from, from + count));
      chunk.gradients.fill(0, count, LANES * Math.ceil(count / LANES));
      chunk.squares(count);
    }
  }
  const [s0, s1, s2, s3] = chunk.sums as unknown as [number, number, number, number];
  return Math.sqrt(s0 + s1 + (s2 + s3));
}

/** The factor on every gradient: as torch.nn.utils.clip_grad_norm_, whose 1e-6 keeps a zero norm legal. */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
