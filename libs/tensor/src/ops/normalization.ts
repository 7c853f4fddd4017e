import type { TensorType, Value } from '../graph/value.js';
import { add, div, mul, sub } from './arithmetic.js';
import { unbroadcast } from './broadcast-rules.js';
import { apply, type NdArray, type Primitive } from './primitive.js';
import { reduceMean } from './reduction.js';
import { sqrt } from './unary.js';

interface NormAttributes {
  readonly epsilon: number;
}

const normType = ([x, ...vectors]: readonly TensorType[]): TensorType => {
  const width = x!.shape.at(-1);
  for (const { dtype, shape } of [x!, ...vectors]) {
    if (dtype !== 'f32' || shape.at(-1) !== width) throw new Error('needs f32, and vectors as wide as the last axis');
  }
  if (vectors.some(({ shape }) => shape.length !== 1)) throw new Error('weight and bias must be vectors');
  return { dtype: 'f32', shape: x!.shape };
};

const rowMean = (x: Value): Value => reduceMean(x, [-1], { keepDims: true });

/** Gradient of x for y = normal(x) * weight where normal divides by `deviation` (and takes the mean off, if `centred`). */
const gradientOfRows = (weighted: Value, normal: Value, deviation: Value, centred: boolean): Value => {
  const along = mul(normal, rowMean(mul(weighted, normal)));
  return div(sub(centred ? sub(weighted, rowMean(weighted)) : weighted, along), deviation);
};

const mapRows = (x: NdArray, f: (row: Float64Array) => Float64Array): Float64Array => {
  const width = x.shape.at(-1)!;
  const result = new Float64Array(x.data.length);
  for (let start = 0; start < result.length; start += width) result.set(f(x.data.subarray(start, start + width)), start);
  return result;
};

const mean = (row: Float64Array): number => row.reduce((a, b) => a + b, 0) / row.length;

/** x / sqrt(mean(x^2) + epsilon) * weight along the last axis (Zhang and Sennrich, arXiv 1910.07467). */
export const rmsNormOp: Primitive<NormAttributes> = {
  name: 'rmsNorm',
  type: normType,
  gradient: ({ inputs, attributes: { epsilon } }, dy, wanted) => {
    const [x, weight] = inputs as [Value, Value];
    const deviation = sqrt(add(rowMean(mul(x, x)), epsilon));
    const normal = div(x, deviation);
    return [
      wanted[0] ? gradientOfRows(mul(dy, weight), normal, deviation, false) : null,
      wanted[1] ? unbroadcast(mul(dy, normal), weight.shape) : null,
    ];
  },
  evaluate: ([x, weight], { epsilon }) =>
    mapRows(x!, (row) => {
      const deviation = Math.sqrt(mean(row.map((element) => element * element)) + epsilon);
      return row.map((element, at) => (element / deviation) * weight!.data[at]!);
    }),
  emit: (emitter, inputs, { attributes: { epsilon } }) =>
    emitter.op('SimplifiedLayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon }, stash_type: 1 }),
};

/** (x - mean) / sqrt(variance + epsilon) * weight + bias along the last axis (Ba et al., arXiv 1607.06450). */
export const layerNormOp: Primitive<NormAttributes> = {
  name: 'layerNorm',
  type: normType,
  gradient: ({ inputs, attributes: { epsilon } }, dy, wanted) => {
    const [x, weight, bias] = inputs as [Value, Value, Value];
    const centred = sub(x, rowMean(x));
    const deviation = sqrt(add(rowMean(mul(centred, centred)), epsilon));
    const normal = div(centred, deviation);
    return [
      wanted[0] ? gradientOfRows(mul(dy, weight), normal, deviation, true) : null,
      wanted[1] ? unbroadcast(mul(dy, normal), weight.shape) : null,
      wanted[2] ? unbroadcast(dy, bias.shape) : null,
    ];
  },
  evaluate: ([x, weight, bias], { epsilon }) =>
    mapRows(x!, (row) => {
      const centre = mean(row);
      const deviation = Math.sqrt(mean(row.map((element) => (element - centre) ** 2)) + epsilon);
      return row.map((element, at) => ((element - centre) / deviation) * weight!.data[at]! + bias!.data[at]!);
    }),
  emit: (emitter, inputs, { attributes: { epsilon } }) =>
    emitter.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon }, stash_type: 1 }),
};

/** x [..., width], weight [width]. */
export const rmsNorm = (x: Value, weight: Value, epsilon: number): Value => apply(rmsNormOp, [x, weight], { epsilon });
/** x [..., width], weight and bias [width]. */
export const layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
  apply(layerNormOp, [x, weight, bias], { epsilon });
