import type { TensorType, Value } from '../graph/value.js';
import { mul, sub } from './arithmetic.js';
import { pick } from './indexing.js';
import { apply, type NdArray, type Primitive } from './primitive.js';
import { reduceSum } from './reduction.js';
import { exp, neg } from './unary.js';

const rowwise = ({ dtype, shape }: TensorType): TensorType => {
  if (dtype !== 'f32' || shape.length === 0) throw new Error('needs f32 of rank 1 or more');
  return { dtype, shape };
};

/** Applies `finish(x - max, log of the sum of exp(x - max))` along the last axis. */
const alongRows = ({ data, shape }: NdArray, finish: (shifted: number, logSum: number) => number): Float64Array => {
  const width = shape.at(-1)!;
  const result = new Float64Array(data.length);
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width);
    const largest = row.reduce((a, b) => Math.max(a, b));
    const logSum = Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
    for (let at = 0; at < width; at++) result[start + at] = finish(row[at]! - largest, logSum);
  }
  return result;
};

/** Along the last axis. */
export const softmaxOp: Primitive = {
  name: 'softmax',
  type: ([x]) => rowwise(x!),
  gradient: (y, dy) => [mul(y, sub(dy, reduceSum(mul(dy, y), [-1], { keepDims: true })))],
  evaluate: ([x]) => alongRows(x!, (shifted, logSum) => Math.exp(shifted - logSum)),
  emit: (emitter, inputs) => emitter.op('Softmax', inputs, { axis: -1 }),
};

/** Along the last axis. */
export const logSoftmaxOp: Primitive = {
  name: 'logSoftmax',
  type: ([x]) => rowwise(x!),
  gradient: (y, dy) => [sub(dy, mul(exp(y), reduceSum(dy, [-1], { keepDims: true })))],
  evaluate: ([x]) => alongRows(x!, (shifted, logSum) => shifted - logSum),
  emit: (emitter, inputs) => emitter.op('LogSoftmax', inputs, { axis: -1 }),
};

export const softmax = (x: Value): Value => apply(softmaxOp, [x], {});
export const logSoftmax = (x: Value): Value => apply(logSoftmaxOp, [x], {});

/** Negative log likelihood of each row's target in nats: logits [..., classes], targets [...] of i32 -> [...]. */
export const crossEntropy = (logits: Value, targets: Value): Value => neg(pick(logSoftmax(logits), targets));
