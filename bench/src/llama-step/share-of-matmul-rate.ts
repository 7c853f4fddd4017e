import type { TrainingSpec } from '@tunefleet/training-core';
import { matmulSeconds, rateOf } from './matmul-rate.js';
import { stepProducts } from './step-products.js';

export interface ProductShare {
  /** 10^9 floating point operations of the step's matrix products, as the lowered graph has them */
  products_gflop: number;
  /** 10^9 operations a second of ONNX Runtime's own MatMul over products of these sizes */
  matmul_gflops: number;
  /** their time at that rate over the whole step's time */
  share_of_matmul_rate: number;
}

/** How near a step of one row of `tokens`, all trained on, comes to its matrix products alone. */
export async function shareOfMatmulRate(spec: TrainingSpec, tokens: number, stepSeconds: number): Promise<ProductShare> {
  const products = await stepProducts(spec, tokens);
  const seconds = await matmulSeconds(products, spec.threads);
  const rate = rateOf(products, seconds);
  return { products_gflop: (rate * seconds) / 1e9, matmul_gflops: rate / 1e9, share_of_matmul_rate: seconds / stepSeconds };
}
