import { type Emitter, MICROSOFT, ONNX_TYPE, UINT8 } from '../emit/emitter.js';
import type { Int4Source, Value } from '../graph/value.js';
import { INT4_BLOCK, INT4_BLOCK_BYTES, int4Blocks } from '../quantization/int4.js';
import { notEvaluated } from './leaves.js';
import { matmul, matmulOp } from './matmul.js';
import { apply, isMadeBy, type Primitive } from './primitive.js';

export interface Int4Attributes {
  readonly name: string;
  readonly shape: readonly [rows: number, columns: number];
  readonly source: Int4Source;
}

/** A frozen matrix in 4-bit blocks. Its ONNX tensors are named by whoever reads it, each in the layout it needs: no name of its own. */
export const int4Op: Primitive<Int4Attributes> = {
  name: 'frozenInt4',
  type: (_, { shape }) => ({ dtype: 'i4', shape }),
  evaluate: notEvaluated,
  emit: () => '',
};

const matrixOf = (value: Value): Int4Attributes => {
  if (!isMadeBy(value, int4Op)) throw new Error(`${value.op.name} is no matrix in 4-bit blocks`);
  return value.attributes;
};

const scalesOf = (emitter: Emitter, { name, shape: [rows, columns], source }: Int4Attributes): string => {
  const shape = [rows, int4Blocks(columns)];
  return emitter.weight({ name: `${name}.scales`, type: ONNX_TYPE.f32, shape, bytes: 4 * shape[0]! * shape[1]!, source: source.scales });
};

/** The codes as the tensor that an operator wants: the same bytes, which the system maps once for each. */
const codesOf = (emitter: Emitter, { name, shape: [rows, columns], source }: Int4Attributes, type: number): string => {
  const blocks = int4Blocks(columns);
  const shape = type === UINT8 ? [rows, blocks, INT4_BLOCK_BYTES] : [rows, blocks * INT4_BLOCK];
  const bytes = rows * blocks * INT4_BLOCK_BYTES;
  return emitter.weight({ name: `${name}.${type === UINT8 ? 'bytes' : 'codes'}`, type, shape, bytes, source: source.codes });
};

/**
 * The float32 numbers of a matrix in 4-bit blocks, made anew after `after` [n, ...] was computed (and not kept from another time: every
 * dequantization would otherwise be merged into one, which holds the whole model in float32 from the forward to the backward pass).
 */
export const dequantizeOp: Primitive = {
  name: 'dequantize',
  type: ([matrix]) => {
    if (matrix!.dtype !== 'i4') throw new Error('needs a matrix in 4-bit blocks');
    return { dtype: 'f32', shape: matrix!.shape };
  },
  gradient: 'none',
  evaluate: ([matrix]) => matrix!.data,
  emit: (emitter, [, after], { inputs }) => {
    const matrix = matrixOf(inputs[0]!);
    const [rows, columns] = matrix.shape;
    const blocks = int4Blocks(columns);
    // A reshape to the shape it has, plus n - n: nothing to compute, but not before n is known, and n is of a tensor that must be there.
    const n = emitter.op('Shape', [after!], { start: 0, end: 1 });
    const shape = emitter.op('Add', [emitter.ints([rows, blocks]), emitter.op('Sub', [n, n])]);
    const scales = emitter.op('Reshape', [scalesOf(emitter, matrix), shape]);
    const zero = emitter.filled(ONNX_TYPE.i4, [rows, blocks], Math.ceil((rows * blocks) / 2), 0x88);
    const attributes = { axis: 1, block_size: INT4_BLOCK };
    const all = emitter.op('DequantizeLinear', [codesOf(emitter, matrix, ONNX_TYPE.i4), scales, zero], attributes);
    if (columns === blocks * INT4_BLOCK) return all;
    return emitter.op('Slice', [all, emitter.ints([0]), emitter.ints([columns]), emitter.ints([1])]);
  },
};

export const dequantize = (matrix: Value, after: Value): Value => apply(dequantizeOp, [matrix, after], {});

/** x W^T: x [..., columns], W [rows, columns] in 4-bit blocks -> [..., rows]. Computed in float32. W is frozen: no gradient for it. */
export const int4LinearOp: Primitive = {
  name: 'int4Linear',
  type: ([x, matrix]) => {
    const [rows, columns] = matrix!.shape;
    if (x!.dtype !== 'f32' || matrix!.dtype !== 'i4') throw new Error('needs f32 and a matrix in 4-bit blocks');
    if (x!.shape.at(-1) !== columns) throw new Error(`x must end in ${columns}`);
    return { dtype: 'f32', shape: [...x!.shape.slice(0, -1), rows!] };
  },
  gradient: ({ inputs }, dy) => [matmul(dy, dequantize(inputs[1]!, dy)), null],
  evaluate: (inputs, _, context) => matmulOp.evaluate(inputs, { transA: false, transB: true, alpha: 1 }, context),
  emit: (emitter, [x], { inputs }) => {
    const matrix = matrixOf(inputs[1]!);
    const [N, K] = matrix.shape;
    // Accuracy 1: float32 throughout. What it chooses by default may round x to 8 bits.
    const attributes = { N, K, bits: 4, block_size: INT4_BLOCK, accuracy_level: 1 };
    return emitter.op('MatMulNBits', [x!, codesOf(emitter, matrix, UINT8), scalesOf(emitter, matrix)], attributes, MICROSOFT);
  },
};
