import { elementCount, type Shape } from '../graph/dimension.js';
import type { DType, TensorType, Value } from '../graph/value.js';
import { div, mul } from './arithmetic.js';
import { forEachBroadcast } from './broadcast-rules.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
import { size } from './leaves.js';
import { broadcastTo, reshape } from './movement.js';
import { apply, type Primitive } from './primitive.js';

export interface ReductionAttributes {
  /** Reduced axes, ascending, from 0. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

const kept = (shape: Shape, axes: readonly number[]): Shape => shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));

const reducedType = ({ dtype, shape }: TensorType, { axes, keepDims }: ReductionAttributes, dtypes: readonly DType[]): TensorType => {
  if (!dtypes.includes(dtype)) throw new Error(`needs ${dtypes.join(' or ')}`);
  const known = axes.every((axis, place) => Number.isInteger(axis) && axis < shape.length && axis > (axes[place - 1] ?? -1));
  if (!known) throw new Error(`axes [${axes.join(', ')}] are not ascending axes of a tensor of rank ${shape.length}`);
  return { dtype, shape: keepDims ? kept(shape, axes) : shape.filter((_, axis) => !axes.includes(axis)) };
};

interface ReductionRow {
  name: string;
  onnx: string;
  dtypes: readonly DType[];
  initial: number;
  combine(a: number, b: number): number;
  finish?(sum: number, count: number): number;
  /** Gradient of the input; `spread` repeats a reduced tensor along the reduced axes. */
  gradient(x: Value, y: Value, dy: Value, spread: (value: Value) => Value, axes: readonly number[]): Value;
}

const reduction = (row: ReductionRow): Primitive<ReductionAttributes> => ({
  name: row.name,
  type: ([x], attributes) => reducedType(x!, attributes, row.dtypes),
  gradient: (value, dy) => {
    const x = value.inputs[0]!;
    const { axes } = value.attributes;
    const spread = (reduced: Value): Value => broadcastTo(reshape(reduced, kept(x.shape, axes)), x.shape);
    return [row.gradient(x, value, dy, spread, axes)];
  },
  evaluate: ([x], { axes }) => {
    const target = kept(x!.shape, axes) as readonly number[];
    const count = axes.reduce((product, axis) => product * x!.shape[axis]!, 1);
    const result = new Float64Array(target.reduce((a, b) => a * b, 1)).fill(row.initial);
    forEachBroadcast(x!.shape, [target], (index, [at]) => {
      result[at!] = row.combine(result[at!]!, x!.data[index]!);
    });
    return row.finish ? result.map((sum) => row.finish!(sum, count)) : result;
  },
  emit: (emitter, [x], { attributes: { axes, keepDims } }) =>
    axes.length === 0 ? x! : emitter.op(row.onnx, [x!, emitter.ints(axes)], { keepdims: keepDims ? 1 : 0 }),
});

export const reduceSumOp = reduction({
  name: 'reduceSum',
  onnx: 'ReduceSum',
  dtypes: ['f32', 'i32'],
  initial: 0,
  combine: (a, b) => a + b,
  gradient: (_x, _y, dy, spread) => spread(dy),
});

export const reduceMeanOp = reduction({
  name: 'reduceMean',
  onnx: 'ReduceMean',
  dtypes: ['f32'],
  initial: 0,
  combine: (a, b) => a + b,
  finish: (sum, count) => sum / count,
  gradient: (x, _y, dy, spread, axes) => spread(div(dy, size(x.builder, elementCount(axes.map((axis) => x.shape[axis]!))))),
});

/** Equal largest elements share the gradient evenly, as in PyTorch's amax. */
export const reduceMaxOp = reduction({
  name: 'reduceMax',
  onnx: 'ReduceMax',
  dtypes: ['f32', 'i32'],
  initial: Number.NEGATIVE_INFINITY,
  combine: Math.max,
  gradient: (x, y, dy, spread, axes) => {
    const largest = cast(equal(x, spread(y)), 'f32');
    return mul(largest, spread(div(reshape(dy, y.shape), reshape(reduceSum(largest, axes), y.shape))));
  },
});

/** Index of the first largest element along the last axis. */
export const argMaxOp: Primitive = {
  name: 'argMax',
  type: ([x]) => {
    if (x!.dtype !== 'f32' || x!.shape.length === 0) throw new Error('needs f32 of rank 1 or more');
    return { dtype: 'i32', shape: x!.shape.slice(0, -1) };
  },
  gradient: 'none',
  evaluate: ([x], _, { shape }) => {
    const width = x!.shape.at(-1)!;
    return Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_row, row) => {
      const elements = x!.data.subarray(row * width, (row + 1) * width);
      return elements.reduce((best, element, index) => (element > elements[best]! ? index : best), 0);
    });
  },
  emit: (emitter, inputs) => emitter.op('Cast', [emitter.op('ArgMax', inputs, { axis: -1, keepdims: 0 })], { to: 6 }),
};

export interface ReductionOptions {
  /** Keep reduced axes with size 1. */
  readonly keepDims?: boolean;
}

/** Axes may count from the end (-1 is the last); default: all. */
const attributes = (x: Value, axes: readonly number[] | undefined, options: ReductionOptions): ReductionAttributes => ({
  axes: (axes ?? x.shape.map((_, axis) => axis)).map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b),
  keepDims: options.keepDims ?? false,
});

export const reduceSum = (x: Value, axes?: readonly number[], options: ReductionOptions = {}): Value =>
  apply(reduceSumOp, [x], attributes(x, axes, options));
export const reduceMean = (x: Value, axes?: readonly number[], options: ReductionOptions = {}): Value =>
  apply(reduceMeanOp, [x], attributes(x, axes, options));
export const reduceMax = (x: Value, axes?: readonly number[], options: ReductionOptions = {}): Value =>
  apply(reduceMaxOp, [x], attributes(x, axes, options));
export const argMax = (x: Value): Value => apply(argMaxOp, [x], {});
