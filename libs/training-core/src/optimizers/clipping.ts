/** Euclidean norm over all gradients, summed in float64 in one fixed order (four lanes: the additions do not wait for each other). */
export function globalNorm(gradients: Float32Array): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = gradients.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const g0 = gradients[i]!;
    const g1 = gradients[i + 1]!;
    const g2 = gradients[i + 2]!;
    const g3 = gradients[i + 3]!;
    s0 += g0 * g0;
    s1 += g1 * g1;
    s2 += g2 * g2;
    s3 += g3 * g3;
  }
  for (let i = whole; i < gradients.length; i++) s0 += gradients[i]! ** 2;
  return Math.sqrt(s0 + s1 + (s2 + s3));
}

/** The factor on every gradient: as torch.nn.utils.clip_grad_norm_, whose 1e-6 keeps a zero norm legal. */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
