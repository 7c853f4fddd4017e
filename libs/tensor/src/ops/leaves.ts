import { ONNX_TYPE } from '../emit/emitter.js';
import type { ConstantData, GraphBuilder } from '../graph/builder.js';
import { canonical, type Dimension, type Shape } from '../graph/dimension.js';
import type { DType, FrozenSource, Value } from '../graph/value.js';
import type { Primitive } from './primitive.js';

export const notEvaluated = (): never => {
  throw new Error('the evaluator binds leaves itself');
};

export interface InputAttributes {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly trainable: boolean;
}

export const inputOp: Primitive<InputAttributes> = {
  name: 'input',
  type: (_, { dtype, shape }) => ({ dtype, shape }),
  evaluate: notEvaluated,
  emit: (_emitter, _inputs, value) => value.attributes.name,
};

export interface FrozenAttributes {
  readonly name: string;
  readonly shape: readonly number[];
  readonly source: FrozenSource;
}

export const frozenOp: Primitive<FrozenAttributes> = {
  name: 'frozen',
  type: (_, { shape }) => ({ dtype: 'f32', shape }),
  evaluate: notEvaluated,
  emit: (emitter, _, { attributes: { name, shape, source } }) =>
    emitter.weight({ name, type: ONNX_TYPE.f32, shape, bytes: shape.reduce((product, size) => product * size, 4), source }),
};

export interface ConstantAttributes {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** f32 may be held in float64, so that the evaluator knows more digits than the engine gets. */
  readonly data: ConstantData | Float64Array;
}

export const constantOp: Primitive<ConstantAttributes> = {
  name: 'constant',
  type: (_, { dtype, shape, data }) => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (count !== data.length) throw new Error(`shape [${shape.join(', ')}] holds ${count} elements, ${data.length} were given`);
    return { dtype, shape };
  },
  evaluate: (_, { data }) => Float64Array.from(data),
  emit: (emitter, _, { attributes: { data, dtype, shape } }) =>
    emitter.literal(data instanceof Float64Array ? Float32Array.from(data) : data, dtype, shape),
};

/** 0, 1, ... up to `length`. */
export const iotaOp: Primitive<{ length: Dimension }> = {
  name: 'iota',
  type: (_, { length }) => ({ dtype: 'i32', shape: [length] }),
  gradient: 'none',
  evaluate: (_inputs, _attributes, { shape }) => Float64Array.from({ length: shape[0]! }, (_, index) => index),
  emit: (emitter, _, { attributes: { length } }) => {
    const end = emitter.op('Squeeze', [emitter.op('Cast', [emitter.dimension(length)], { to: 6 })]);
    return emitter.op('Range', [emitter.literal(Int32Array.of(0), 'i32', []), end, emitter.literal(Int32Array.of(1), 'i32', [])]);
  },
};

export const iota = (builder: GraphBuilder, length: Dimension): Value => builder.append(iotaOp, [], { length: canonical(length) });

/** A dimension's size as a float32 scalar. */
export const sizeOp: Primitive<{ dimension: Dimension }> = {
  name: 'size',
  type: () => ({ dtype: 'f32', shape: [] }),
  gradient: 'none',
  evaluate: (_, { dimension }, context) => Float64Array.of(context.size(dimension)),
  emit: (emitter, _, { attributes: { dimension } }) =>
    emitter.op('Squeeze', [emitter.op('Cast', [emitter.dimension(dimension)], { to: 1 })]),
};

export const size = (builder: GraphBuilder, dimension: Dimension): Value =>
  typeof dimension === 'number' ? builder.scalar(dimension, 'f32') : builder.append(sizeOp, [], { dimension: canonical(dimension) });
