// LoRA (Hu et al., arXiv 2106.09685) as PEFT computes it: y = W x + scaling B A dropout(x).

import { type LinearModule, type LoraMatcher, type LoraPair, type LoraSettings, loraMatcher } from '@tunefleet/model-formats';
import { add, concat, matmul, mul, slice, type Value } from '@tunefleet/tensor';
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
  return addInner(y, matmul(mask ? mul(x, mask) : x, a, { transB: true }), b, scaling);
}

const addInner = (y: Value, inner: Value, b: Value, scaling: number): Value =>
  add(y, matmul(scaling === 1 ? inner : mul(inner, scaling), b, { transB: true }));

/** The base's output of one module and the factors of its adapter. */
export interface AdaptedOutput {
  y: Value;
  factors: Omit<LoraFactors, 'mask'>;
  scaling: number;
}

/**
 * {@link addLora} of modules that read one `x`: their A are one product, forward and in both gradients. Adapters' products cost what
 * reading `x` and the gradients costs, hardly what is multiplied (docs/decisions/0016). Ranks are numbers, no names.
 */
export function addLoras(outputs: readonly AdaptedOutput[], x: Value): Value[] {
  const [first, ...others] = outputs.map(({ factors }) => factors.a);
  if (!first) return [];
  const inner = matmul(x, concat([first, ...others], 0), { transB: true });
  const { scaling: common } = outputs[0]!;
  const shared = outputs.every(({ scaling }) => scaling === common) && common !== 1;
  const scaled = shared ? mul(inner, common) : inner;
  let start = 0;
  return outputs.map(({ y, factors: { a, b }, scaling }) => {
    const own = slice(scaled, 1, start, start + Number(a.shape[0]));
    start += Number(a.shape[0]);
    return addInner(y, own, b, shared ? 1 : scaling);
  });
}
