import { printShape, sameShape } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { type MatmulAttributes, type MatmulOptions, matmulOp, productGradients } from './matmul.js';
import { apply, type Primitive } from './primitive.js';

/** addend + alpha * a b of matrices: [M, N] + [M, K] x [K, N]. The sum costs no pass of its own over the product. */
export const addMatmulOp: Primitive<MatmulAttributes> = {
  name: 'addMatmul',
  type: ([a, b, addend], attributes) => {
    const product = matmulOp.type([a!, b!], attributes);
    if (product.shape.length !== 2 || addend!.dtype !== 'f32' || !sameShape(addend!.shape, product.shape)) {
      throw new Error(`the addend must be f32 ${printShape(product.shape)}, of rank 2`);
    }
    return product;
  },
  gradient: (value, dy, wanted) => [...productGradients(value, dy, wanted), dy],
  evaluate: ([a, b, addend], attributes, context) =>
    matmulOp.evaluate([a!, b!], attributes, context).map((element, at) => element + addend!.data[at]!),
  emit: (emitter, inputs, { attributes: { transA, transB, alpha } }) =>
    emitter.op('Gemm', inputs, { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } }),
};

export const addMatmul = (addend: Value, a: Value, b: Value, { transA = false, transB = false }: MatmulOptions = {}): Value =>
  apply(addMatmulOp, [a, b, addend], { transA, transB, alpha: 1 });
