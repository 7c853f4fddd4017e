import { MICROSOFT } from '../emit/emitter.js';
import { type Dimension, printShape, type Shape, sameShape } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { constantOp, frozenOp } from './leaves.js';
import { type MatmulAttributes, type MatmulOptions, matmulOp, productGradients } from './matmul.js';
import { apply, isMadeBy, type Primitive } from './primitive.js';

export interface AddMatmulAttributes extends MatmulAttributes {
  /**
   * Computed as a convolution of 1x1, whose kernel adds to the addend's own memory; Gemm first copies the addend, on one thread. For thin
   * products the copy is most of the time. Needs transA false and alpha 1; the CPU alone has the kernel.
   */
  readonly pointwise: boolean;
}

/** A matrix as a convolution takes it: one image of as many channels as rows, one pixel high. */
export const asImage = ([rows, columns]: Shape): Shape => [1, rows!, 1, columns!];

/** addend + alpha * a b of matrices: [M, N] + [M, K] x [K, N]. The sum costs no pass of its own over the product. */
export const addMatmulOp: Primitive<AddMatmulAttributes> = {
  name: 'addMatmul',
  type: ([a, b, addend], attributes) => {
    const product = matmulOp.type([a!, b!], attributes);
    if (product.shape.length !== 2 || addend!.dtype !== 'f32' || !sameShape(addend!.shape, product.shape)) {
      throw new Error(`the addend must be f32 ${printShape(product.shape)}, of rank 2`);
    }
    if (attributes.pointwise && (attributes.transA || attributes.alpha !== 1)) throw new Error('pointwise needs transA false and alpha 1');
    return product;
  },
  gradient: (value, dy, wanted) => [...productGradients(value, dy, wanted), dy],
  evaluate: ([a, b, addend], attributes, context) =>
    matmulOp.evaluate([a!, b!], attributes, context).map((element, at) => element + addend!.data[at]!),
  written: ({ attributes, shape }) => (attributes.pointwise ? asImage(shape) : shape),
  emit: (emitter, inputs, value) => {
    const { transA, transB, alpha, pointwise } = value.attributes;
    if (!pointwise) return emitter.op('Gemm', inputs, { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } });
    const [a, b, addend] = inputs as [string, string, string];
    const [rows, columns] = value.shape as [Dimension, Dimension];
    const inner = value.inputs[0]!.shape[1]!;
    const as = (name: string, shape: Shape): string => emitter.sized(emitter.op('Reshape', [name, emitter.shape(shape)]), shape);
    // a is the filters, b an image of K channels and one row. It is turned as an image: ONNX Runtime would move a Transpose behind the
    // Reshape, where it runs before all that addend and a are made of, and is held meanwhile.
    const image = asImage([inner, columns]);
    const turned = (): string => emitter.op('Transpose', [as(b, asImage([columns, inner]))], { perm: [0, 3, 2, 1] });
    const operands = [
      transB ? emitter.sized(turned(), image) : as(b, image),
      as(a, [rows, inner, 1, 1]),
      '',
      as(addend, asImage(value.shape)),
    ];
    const sum = emitter.op('FusedConv', operands, { kernel_shape: [1, 1] }, MICROSOFT);
    return as(emitter.sized(sum, asImage(value.shape)), value.shape);
  },
};

/**
 * The second operand of a pointwise product whose image has to be made, with the axes turned, before each: one that runs do not change is
 * turned once.
 */
export const turnedOperand = (value: Value): Value | null => {
  if (!isMadeBy(value, addMatmulOp) || !value.attributes.pointwise || !value.attributes.transB) return null;
  const b = value.inputs[1]!;
  return isMadeBy(b, frozenOp) || isMadeBy(b, constantOp) ? null : b;
};

export const addMatmul = (addend: Value, a: Value, b: Value, { transA = false, transB = false }: MatmulOptions = {}): Value =>
  apply(addMatmulOp, [a, b, addend], { transA, transB, alpha: 1, pointwise: false });
