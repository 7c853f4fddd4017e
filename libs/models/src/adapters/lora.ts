// LoRA (Hu et al., arXiv 2106.09685) as PEFT computes it: y = W x + alpha / rank * B A dropout(x).

import type { LlamaConfig, LoraConfig, LoraPair } from '@tunefleet/model-formats';
import { add, matmul, mul, type Value } from '@tunefleet/tensor';
import { type LinearModule, llamaLinears } from '../families/linears.js';
import { randomStream } from '../random/stream.js';

const names = (target: string, { name }: LinearModule): boolean => name === target || name.endsWith(`.${target}`);

/** The modules an adapter is put on. */
export function adaptedLinears(config: LlamaConfig, targets: LoraConfig['targets']): LinearModule[] {
  const linears = llamaLinears(config);
  return targets === 'all-linear' ? linears : linears.filter((module) => targets.some((target) => names(target, module)));
}

/** Targets that name no linear of this model. */
export function unknownTargets(config: LlamaConfig, targets: LoraConfig['targets']): string[] {
  const linears = llamaLinears(config);
  return targets === 'all-linear' ? [] : targets.filter((target) => !linears.some((module) => names(target, module)));
}

/** A kaiming-uniform with a = sqrt(5), as PEFT: uniform in +-1 / sqrt(inputs); B zero, so that the adapter begins as nothing. */
export function initialLoraPair({ inputs, outputs }: LinearModule, rank: number, seed: number, site: number): LoraPair {
  const random = randomStream(seed, 'adapterInit', site);
  const bound = 1 / Math.sqrt(inputs);
  return {
    inputs,
    outputs,
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
export function addLora(y: Value, x: Value, { a, b, mask }: LoraFactors, scaling: number | Value): Value {
  const inner = matmul(mask ? mul(x, mask) : x, a, { transB: true });
  return add(y, matmul(mul(inner, scaling), b, { transB: true }));
}
