// LoRA (Hu et al., arXiv 2106.09685) as PEFT computes it: y = W x + scaling B A dropout(x).

import { type LinearModule, type LoraMatcher, type LoraPair, type LoraSettings, loraMatcher } from '@tunefleet/model-formats';
import { add, matmul, mul, type Value } from '@tunefleet/tensor';
import { randomStream } from '../random/stream.js';
import type { Adaptable } from './adaptable.js';

/** The modules an adapter is put on. */
export function adaptedLinears({ linears }: Adaptable, settings: LoraSettings): LinearModule[] {
  const { adapts } = loraMatcher(settings);
  return linears.filter(({ name }) => adapts(name));
}

/** A kaiming-uniform with a = sqrt(5), as PEFT: uniform in +-1 / sqrt(inputs); B zero, so that the adapter begins as nothing. */
export function initialLoraPair({ name, inputs, outputs }: LinearModule, matcher: LoraMatcher, seed: number, site: number): LoraPair {
  const random = randomStream(seed, 'adapterInit', site);
  const bound = 1 / Math.sqrt(inputs);
  const rank = matcher.rank(name);
  return {
    inputs,
    outputs,
    rank,
    scaling: matcher.scaling(name),
    a: Float32Array.from({ length: rank * inputs }, () => (2 * random.uniform() - 1) * bound),
    b: new Float32Array(outputs * rank),
  };
}

/** The factors of one module in a graph: a [rank, in], b [out, rank]. */
export interface LoraFactors {
  a: Value;
  b: Value;
  /** [tokens, in] of 0 and 1 / (1 - dropout) */
  mask?: Value;
}

/** Adds the adapter's part to the base's output `y` [tokens, out] for `x` [tokens, in]. */
export function addLora(y: Value, x: Value, { a, b, mask }: LoraFactors, scaling: number): Value {
  const inner = matmul(mask ? mul(x, mask) : x, a, { transB: true });
  return add(y, matmul(scaling === 1 ? inner : mul(inner, scaling), b, { transB: true }));
}
