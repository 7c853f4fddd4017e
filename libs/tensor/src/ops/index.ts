export { addMatmul } from './add-matmul.js';
export { after } from './after.js';
export { add, div, maximum, minimum, mul, type Operand, sub } from './arithmetic.js';
export { type CachedAttentionInputs, cachedAttention } from './cached-attention.js';
export { cast } from './cast.js';
export { and, equal, greater, greaterOrEqual, less, lessOrEqual, not, or, where } from './comparison.js';
export { gather, pick, scatterAddRows } from './indexing.js';
export { dequantize } from './int4.js';
export { iota, size } from './leaves.js';
export { linear } from './linear.js';
export { type MatmulOptions, matmul } from './matmul.js';
export { broadcastTo, concat, pad, reshape, slice, transpose } from './movement.js';
export { layerNorm, rmsNorm } from './normalization.js';
export { apply, type NdArray, type Primitive } from './primitive.js';
export { argMax, reduceMax, reduceMean, reduceSum } from './reduction.js';
export { rope } from './rope.js';
export { crossEntropy, logSoftmax, softmax } from './softmax.js';
export { softmaxMatmul } from './softmax-matmul.js';
export {
  abs,
  cos,
  erf,
  exp,
  gelu,
  geluTanh,
  log,
  neg,
  reciprocal,
  relu,
  rsqrt,
  sigmoid,
  silu,
  sin,
  sqrt,
  square,
  stopGradient,
  tanh,
} from './unary.js';
