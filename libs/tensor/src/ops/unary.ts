import type { OnnxAttribute } from '../emit/onnx-proto.js';
import type { DType, Value } from '../graph/value.js';
import { add, div, mul, sub } from './arithmetic.js';
import { less, where } from './comparison.js';
import { erf as erfOfNumber } from './erf.js';
import { apply, type Primitive } from './primitive.js';

interface UnaryRow {
  name: string;
  onnx: string;
  domain?: string;
  attributes?: Readonly<Record<string, OnnxAttribute>>;
  dtypes?: readonly DType[];
  apply(x: number): number;
  /** Gradient of the input from input, output and the output's gradient. */
  gradient(x: Value, y: Value, dy: Value): Value;
}

const unary = ({ name, onnx, domain = '', attributes = {}, dtypes = ['f32'], apply: f, gradient }: UnaryRow): Primitive => ({
  name,
  type: ([x]) => {
    if (!dtypes.includes(x!.dtype)) throw new Error(`needs ${dtypes.join(' or ')}`);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  gradient: (value, dy) => [gradient(value.inputs[0]!, value, dy)],
  evaluate: ([x]) => x!.data.map((element) => f(element)),
  emit: (emitter, inputs) => emitter.op(onnx, inputs, attributes, domain),
});

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
/** Cubic coefficient of the tanh approximation of GELU (Hendrycks and Gimpel, arXiv 1606.08415). */
const GELU_CUBIC = 0.044715;

export const negOp = unary({ name: 'neg', onnx: 'Neg', dtypes: ['f32', 'i32'], apply: (x) => -x, gradient: (_x, _y, dy) => neg(dy) });
export const absOp = unary({
  name: 'abs',
  onnx: 'Abs',
  apply: Math.abs,
  gradient: (x, _y, dy) => where(less(0, x), dy, where(less(x, 0), neg(dy), 0)),
});
export const expOp = unary({ name: 'exp', onnx: 'Exp', apply: Math.exp, gradient: (_x, y, dy) => mul(dy, y) });
export const logOp = unary({ name: 'log', onnx: 'Log', apply: Math.log, gradient: (x, _y, dy) => div(dy, x) });
export const sqrtOp = unary({ name: 'sqrt', onnx: 'Sqrt', apply: Math.sqrt, gradient: (_x, y, dy) => div(mul(dy, 0.5), y) });
export const reciprocalOp = unary({
  name: 'reciprocal',
  onnx: 'Reciprocal',
  apply: (x) => 1 / x,
  gradient: (_x, y, dy) => neg(mul(dy, mul(y, y))),
});
export const sinOp = unary({ name: 'sin', onnx: 'Sin', apply: Math.sin, gradient: (x, _y, dy) => mul(dy, cos(x)) });
export const cosOp = unary({ name: 'cos', onnx: 'Cos', apply: Math.cos, gradient: (x, _y, dy) => neg(mul(dy, sin(x))) });
export const erfOp = unary({
  name: 'erf',
  onnx: 'Erf',
  apply: erfOfNumber,
  gradient: (x, _y, dy) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
});
export const tanhOp = unary({ name: 'tanh', onnx: 'Tanh', apply: Math.tanh, gradient: (_x, y, dy) => mul(dy, sub(1, mul(y, y))) });
export const sigmoidOp = unary({
  name: 'sigmoid',
  onnx: 'Sigmoid',
  apply: logistic,
  gradient: (_x, y, dy) => mul(dy, mul(y, sub(1, y))),
});
export const reluOp = unary({
  name: 'relu',
  onnx: 'Relu',
  apply: (x) => Math.max(x, 0),
  gradient: (x, _y, dy) => where(less(0, x), dy, 0),
});
/** x * sigmoid(x); ONNX Runtime's QuickGelu with alpha 1. */
export const siluOp = unary({
  name: 'silu',
  onnx: 'QuickGelu',
  domain: 'com.microsoft',
  attributes: { alpha: { float: 1 } },
  apply: (x) => x * logistic(x),
  gradient: (x, y, dy) => {
    const s = sigmoid(x);
    return mul(dy, add(s, mul(y, sub(1, s))));
  },
});
/** x times the normal distribution function of x, exact. */
export const geluOp = unary({
  name: 'gelu',
  onnx: 'Gelu',
  apply: (x) => 0.5 * x * (1 + erfOfNumber(x / Math.SQRT2)),
  gradient: (x, _y, dy) => {
    const distribution = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
    const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return mul(dy, add(distribution, mul(x, density)));
  },
});
/** The tanh approximation of GELU ("gelu_new", "gelu_pytorch_tanh"). */
export const geluTanhOp = unary({
  name: 'geluTanh',
  onnx: 'Gelu',
  attributes: { approximate: 'tanh' },
  apply: (x) => 0.5 * x * (1 + Math.tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x))),
  gradient: (x, _y, dy) => {
    const square = mul(x, x);
    const t = tanh(mul(mul(x, add(mul(square, GELU_CUBIC), 1)), SQRT_2_OVER_PI));
    const slope = mul(add(mul(square, 3 * GELU_CUBIC), 1), SQRT_2_OVER_PI);
    const rise = mul(mul(x, sub(1, mul(t, t))), slope);
    return mul(dy, mul(add(add(t, 1), rise), 0.5));
  },
});

/** The same tensor, through which no gradient flows. */
export const stopGradientOp: Primitive = {
  name: 'stopGradient',
  type: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  gradient: 'none',
  evaluate: ([x]) => x!.data,
  emit: (emitter, inputs) => emitter.op('Identity', inputs),
};

// Elementwise on f32 (neg also i32).
export const neg = (x: Value): Value => apply(negOp, [x], {});
export const abs = (x: Value): Value => apply(absOp, [x], {});
export const exp = (x: Value): Value => apply(expOp, [x], {});
export const log = (x: Value): Value => apply(logOp, [x], {});
export const sqrt = (x: Value): Value => apply(sqrtOp, [x], {});
export const reciprocal = (x: Value): Value => apply(reciprocalOp, [x], {});
export const rsqrt = (x: Value): Value => reciprocal(sqrt(x));
export const square = (x: Value): Value => mul(x, x);
export const sin = (x: Value): Value => apply(sinOp, [x], {});
export const cos = (x: Value): Value => apply(cosOp, [x], {});
export const erf = (x: Value): Value => apply(erfOp, [x], {});
export const tanh = (x: Value): Value => apply(tanhOp, [x], {});
export const sigmoid = (x: Value): Value => apply(sigmoidOp, [x], {});
export const relu = (x: Value): Value => apply(reluOp, [x], {});
export const silu = (x: Value): Value => apply(siluOp, [x], {});
export const gelu = (x: Value): Value => apply(geluOp, [x], {});
export const geluTanh = (x: Value): Value => apply(geluTanhOp, [x], {});
export const stopGradient = (x: Value): Value => apply(stopGradientOp, [x], {});
