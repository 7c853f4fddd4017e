import type { DType, Value } from '../graph/value.js';
import { broadcastShapes, forEachBroadcast, unbroadcast } from './broadcast-rules.js';
import { equal, lessOrEqual, where } from './comparison.js';
import { apply, type Primitive } from './primitive.js';
import { neg } from './unary.js';

/** A value, or a number that stands for a scalar of the other operand's dtype. */
export type Operand = Value | number;

export const pair = (name: string, a: Operand, b: Operand): [Value, Value] => {
  if (typeof a === 'number') {
    if (typeof b === 'number') throw new Error(`${name}: one operand must be a value`);
    return [b.builder.scalar(a, b.dtype), b];
  }
  return [a, typeof b === 'number' ? a.builder.scalar(b, a.dtype) : b];
};

export const NUMBERS: readonly DType[] = ['f32', 'i32'];

interface BinaryRow {
  name: string;
  onnx: string;
  dtypes: readonly DType[];
  apply(a: number, b: number): number;
  /** Gradients of a and b before the sum over broadcast axes. */
  gradients(a: Value, b: Value, result: Value, gradient: Value): [() => Value, () => Value];
}

const binary = ({ name, onnx, dtypes, apply: f, gradients }: BinaryRow): Primitive => ({
  name,
  type: ([a, b]) => {
    if (a!.dtype !== b!.dtype || !dtypes.includes(a!.dtype)) throw new Error(`needs two operands of one dtype of ${dtypes.join(', ')}`);
    return { dtype: a!.dtype, shape: broadcastShapes(a!.shape, b!.shape) };
  },
  gradient: (value, gradient, wanted) => {
    const [a, b] = value.inputs as [Value, Value];
    const rules = gradients(a, b, value, gradient);
    return [a, b].map((input, index) => (wanted[index] ? unbroadcast(rules[index]!(), input.shape) : null));
  },
  evaluate: ([a, b], _, { shape }) => {
    const result = new Float64Array(shape.reduce((x, y) => x * y, 1));
    forEachBroadcast(shape, [a!.shape, b!.shape], (index, [i, j]) => {
      result[index] = f(a!.data[i!]!, b!.data[j!]!);
    });
    return result;
  },
  emit: (emitter, inputs) => emitter.op(onnx, inputs),
});

export const addOp = binary({
  name: 'add',
  onnx: 'Add',
  dtypes: NUMBERS,
  apply: (a, b) => a + b,
  gradients: (_a, _b, _y, dy) => [() => dy, () => dy],
});

export const subOp = binary({
  name: 'sub',
  onnx: 'Sub',
  dtypes: NUMBERS,
  apply: (a, b) => a - b,
  gradients: (_a, _b, _y, dy) => [() => dy, () => neg(dy)],
});

export const mulOp = binary({
  name: 'mul',
  onnx: 'Mul',
  dtypes: NUMBERS,
  apply: (a, b) => a * b,
  gradients: (a, b, _y, dy) => [() => mul(dy, b), () => mul(dy, a)],
});

export const divOp = binary({
  name: 'div',
  onnx: 'Div',
  dtypes: ['f32'],
  apply: (a, b) => a / b,
  gradients: (_a, b, y, dy) => [() => div(dy, b), () => neg(div(mul(dy, y), b))],
});

/** Where the operands are equal each gets half, as PyTorch does. */
const share = (chosen: Value, a: Value, b: Value, dy: Value): Value => where(equal(a, b), mul(dy, 0.5), where(chosen, dy, 0));

export const maximumOp = binary({
  name: 'maximum',
  onnx: 'Max',
  dtypes: NUMBERS,
  apply: Math.max,
  gradients: (a, b, _y, dy) => [() => share(lessOrEqual(b, a), a, b, dy), () => share(lessOrEqual(a, b), a, b, dy)],
});

export const minimumOp = binary({
  name: 'minimum',
  onnx: 'Min',
  dtypes: NUMBERS,
  apply: Math.min,
  gradients: (a, b, _y, dy) => [() => share(lessOrEqual(a, b), a, b, dy), () => share(lessOrEqual(b, a), a, b, dy)],
});

// Elementwise with broadcasting from the right, as in NumPy; both operands f32 or both i32 (div: f32).
export const add = (a: Operand, b: Operand): Value => apply(addOp, pair('add', a, b), {});
export const sub = (a: Operand, b: Operand): Value => apply(subOp, pair('sub', a, b), {});
export const mul = (a: Operand, b: Operand): Value => apply(mulOp, pair('mul', a, b), {});
export const div = (a: Operand, b: Operand): Value => apply(divOp, pair('div', a, b), {});
export const maximum = (a: Operand, b: Operand): Value => apply(maximumOp, pair('maximum', a, b), {});
export const minimum = (a: Operand, b: Operand): Value => apply(minimumOp, pair('minimum', a, b), {});
