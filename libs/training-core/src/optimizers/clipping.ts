import type { ParameterRange } from './adamw.js';

/**
 * Euclidean norm over all gradients, summed in float64 in one fixed order (four lanes: the additions do not wait for each other).
 * @param ranges where gradients may not be zero: ascending, from multiples of four, the elements behind each up to the next such multiple zero
 */
export function globalNorm(
  gradients: Float32Array,
  ranges: readonly Pick<ParameterRange, 'start' | 'end'>[] = [{ start: 0, end: gradients.length }],
): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (const { start, end } of ranges) {
    for (let i = start; i < end; i += 4) {
      const g0 = gradients[i]!;
      const g1 = gradients[i + 1] ?? 0;
      const g2 = gradients[i + 2] ?? 0;
      const g3 = gradients[i + 3] ?? 0;
      s0 += g0 * g0;
      s1 += g1 * g1;
      s2 += g2 * g2;
      s3 += g3 * g3;
    }
  }
  return Math.sqrt(s0 + s1 + (s2 + s3));
}

/** The factor on every gradient: as torch.nn.utils.clip_grad_norm_, whose 1e-6 keeps a zero norm legal. */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
