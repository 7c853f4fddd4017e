import { ONNX_TYPE } from '../emit/emitter.js';
import type { DType, Value } from '../graph/value.js';
import { apply, type Primitive } from './primitive.js';

/** f32 to i32 rounds towards zero; to bool: not zero; to f16: to the nearest, which the float64 meaning leaves out. No gradient flows. */
export const castOp: Primitive<{ dtype: DType }> = {
  name: 'cast',
  type: ([x], { dtype }) => ({ dtype, shape: x!.shape }),
  gradient: 'none',
  evaluate: ([x], { dtype }) => {
    if (dtype === 'bool') return x!.data.map((element) => (element === 0 ? 0 : 1));
    return dtype === 'i32' ? x!.data.map(Math.trunc) : x!.data;
  },
  emit: (emitter, inputs, { attributes }) => emitter.op('Cast', inputs, { to: ONNX_TYPE[attributes.dtype] }),
};

export const cast = (x: Value, dtype: DType): Value => (x.dtype === dtype ? x : apply(castOp, [x], { dtype }));
