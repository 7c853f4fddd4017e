// AdamW (Loshchilov & Hutter, "Decoupled weight decay regularization"), with PyTorch's order of operations.

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
 * One update in place. Arithmetic is float64 in registers, state float32; the result does not depend on how the ranges are cut.
 * @param gradientFactor multiplies every gradient (1 / trained tokens, times the clip factor)
 * @param rate learning rate of this step
 */
export function updateAdamW(
  spec: AdamWSpec,
  state: AdamWState,
  parameters: Float32Array,
  gradients: Float32Array,
  ranges: readonly ParameterRange[],
  gradientFactor: number,
  rate: number,
): void {
  state.step++;
  for (const { start, end, decayed } of ranges) {
    updateRange(spec, state, parameters, gradients, start, end, gradientFactor, rate, decayed ? 1 - rate * spec.weight_decay : 1);
  }
}

function updateRange(
  { betas, eps }: AdamWSpec,
  { step, first, second }: AdamWState,
  parameters: Float32Array,
  gradients: Float32Array,
  start: number,
  end: number,
  gradientFactor: number,
  rate: number,
  keep: number,
): void {
  const [beta1, beta2] = betas;
  const rest1 = 1 - beta1;
  const rest2 = 1 - beta2;
  const stepSize = rate / (1 - beta1 ** step);
  const inverseRoot = 1 / Math.sqrt(1 - beta2 ** step);
  for (let i = start; i < end; i++) {
    const gradient = gradients[i]! * gradientFactor;
    const m = beta1 * first[i]! + rest1 * gradient;
    const v = beta2 * second[i]! + rest2 * gradient * gradient;
    first[i] = m;
    second[i] = v;
    parameters[i] = parameters[i]! * keep - (stepSize * m) / (Math.sqrt(v) * inverseRoot + eps);
  }
}
