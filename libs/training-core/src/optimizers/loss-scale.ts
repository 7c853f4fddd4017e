// Dynamic loss scaling (Micikevicius et al., "Mixed Precision Training", arXiv 1710.03740), with the pace of PyTorch's GradScaler.

/** What the loss is multiplied by before the backward pass, so that small gradients are not lost in float16. */
export interface LossScale {
  scale: number;
  /** updates since the scale was last changed */
  good_steps: number;
}

/** PyTorch begins with 2^16 on means; these are sums over a micro-batch, some 2^6 times as large. */
const FIRST = 2 ** 10;
const GROWS_AFTER = 2000;

export const initLossScale = (): LossScale => ({ scale: FIRST, good_steps: 0 });

/**
 * After a step: halved where the gradients overflowed, doubled after 2,000 steps in which they did not. A power of two: scaling changes no
 * digit.
 */
export function nextLossScale({ scale, good_steps }: LossScale, overflowed: boolean): LossScale {
  if (overflowed) return { scale: scale / 2, good_steps: 0 };
  return good_steps + 1 < GROWS_AFTER ? { scale, good_steps: good_steps + 1 } : { scale: scale * 2, good_steps: 0 };
}

/** An overflow at this scale or below is not the scale's doing. */
export const SMALLEST_SCALE = 1;
