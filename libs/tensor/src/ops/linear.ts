import { printShape } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { add } from './arithmetic.js';
import { int4LinearOp } from './int4.js';
import { matmul } from './matmul.js';
import { apply } from './primitive.js';

/** x W^T + bias: x [..., in], weight [out, in] (PyTorch's layout; float32 or in 4-bit blocks), bias [out]. */
export const linear = (x: Value, weight: Value, bias?: Value): Value => {
  if (x.shape.length < 2) throw new Error(`linear: x ${printShape(x.shape)} needs rank 2 or more`);
  const product = weight.dtype === 'i4' ? apply(int4LinearOp, [x, weight], {}) : matmul(x, weight, { transB: true });
  return bias ? add(product, bias) : product;
};
