// AdamW (Loshchilov & Hutter, "Decoupled weight decay regularization"), with PyTorch's order of operations.

import { CHUNK, kernel } from './kernel.js';

export interface AdamWSpec {
  learning_rate: number;
  betas: readonly [number, number];
  eps: number;
  weight_decay: number;
}

/** Moments of flat parameters; `step` counts the updates done. */
export interface AdamWState {
  step: number;
  first: Float32Array;
  second: Float32Array;
}

/** A half-open range of the flat parameters that is decayed alike. */
export interface ParameterRange {
  start: number;
  end: number;
  decayed: boolean;
}

export function initAdamW(parameterCount: number): AdamWState {
  return { step: 0, first: new Float32Array(parameterCount), second: new Float32Array(parameterCount) };
}

/**
 * One update in place, in float32 as PyTorch's; the result does not depend on how the ranges are cut.
 * @param gradientFactor multiplies every gradient (1 / trained tokens, times the clip factor)
 * @param rate learning rate of this step
 */
export function updateAdamW(
  { betas: [beta1, beta2], eps, weight_decay }: AdamWSpec,
  state: AdamWState,
  parameters: Float32Array,
  gradients: Float32Array,
  ranges: readonly ParameterRange[],
  gradientFactor: number,
  rate: number,
): void {
  state.step++;
  const scalars = {
    beta1,
    rest1: 1 - beta1,
    beta2,
    rest2: 1 - beta2,
    factor: gradientFactor,
    stepSize: rate / (1 - beta1 ** state.step),
    inverseRoot: 1 / Math.sqrt(1 - beta2 ** state.step),
    eps,
  };
  const chunk = kernel();
  for (const { start, end, decayed } of ranges) {
    const keep = decayed ? 1 - rate * weight_decay : 1;
    for (let from = start; from < end; from += CHUNK) {
      const to = Math.min(end, from + CHUNK);
      const count = to - from;
      chunk.parameters.set(parameters.subarray(from, to));
      chunk.gradients.set(gradients.subarray(from, to));
      chunk.first.set(state.first.subarray(from, to));
      chunk.second.set(state.second.subarray(from, to));
      chunk.update(count, { ...scalars, keep });
      parameters.set(chunk.parameters.subarray(0, count), from);
      state.first.set(chunk.first.subarray(0, count), from);
      state.second.set(chunk.second.subarray(0, count), from);
    }
  }
}
