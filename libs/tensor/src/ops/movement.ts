import {
  addDimensions,
  canonical,
  type Dimension,
  divideDimensions,
  elementCount,
  printShape,
  type Shape,
  sameShape,
  subtractDimensions,
} from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { broadcastShapes, forEachBroadcast, unbroadcast } from './broadcast-rules.js';
import { apply, type Primitive } from './primitive.js';

export const reshapeOp: Primitive<{ shape: Shape }> = {
  name: 'reshape',
  type: ([x], { shape }) => {
    if (elementCount(shape) !== elementCount(x!.shape)) throw new Error(`${printShape(shape)} holds another number of elements`);
    return { dtype: x!.dtype, shape };
  },
  gradient: ({ inputs: [x] }, dy) => [reshape(dy, x!.shape)],
  evaluate: ([x]) => x!.data,
  // allowzero: a size of 0 means 0, not "copy from the input".
  emit: (emitter, [x], { attributes }) => emitter.op('Reshape', [x!, emitter.shape(attributes.shape)], { allowzero: 1 }),
};

/** Repeats axes of size 1, and adds axes on the left, up to a shape. */
export const broadcastToOp: Primitive<{ shape: Shape }> = {
  name: 'broadcastTo',
  type: ([x], { shape }) => {
    if (!sameShape(broadcastShapes(x!.shape, shape), shape)) throw new Error(`does not broadcast to ${printShape(shape)}`);
    return { dtype: x!.dtype, shape };
  },
  gradient: ({ inputs: [x] }, dy) => [unbroadcast(dy, x!.shape)],
  evaluate: ([x], _, { shape }) => {
    const result = new Float64Array(shape.reduce((a, b) => a * b, 1));
    forEachBroadcast(shape, [x!.shape], (index, [at]) => {
      result[index] = x!.data[at!]!;
    });
    return result;
  },
  emit: (emitter, [x], { attributes }) => emitter.op('Expand', [x!, emitter.shape(attributes.shape)]),
};

export const transposeOp: Primitive<{ permutation: readonly number[] }> = {
  name: 'transpose',
  type: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b);
    if (permutation.length !== x!.shape.length || sorted.some((axis, place) => axis !== place)) {
      throw new Error(`[${permutation.join(', ')}] does not permute the axes`);
    }
    return { dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) };
  },
  gradient: ({ attributes: { permutation } }, dy) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  evaluate: ([x], { permutation }, { shape }) => {
    const strides = x!.shape.map((_, axis) => x!.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const result = new Float64Array(x!.data.length);
    const position = shape.map(() => 0);
    for (let index = 0; index < result.length; index++) {
      result[index] = x!.data[permutation.reduce((sum, axis, place) => sum + position[place]! * strides[axis]!, 0)]!;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        if (++position[axis]! < shape[axis]!) break;
        position[axis] = 0;
      }
    }
    return result;
  },
  emit: (emitter, inputs, { attributes }) => emitter.op('Transpose', inputs, { perm: attributes.permutation }),
};

interface SliceAttributes {
  readonly axis: number;
  readonly start: Dimension;
  readonly end: Dimension;
}

/** Elements per step along `axis`, and number of rows before it. */
const blocks = (shape: readonly number[], axis: number): { outer: number; inner: number } => ({
  outer: shape.slice(0, axis).reduce((a, b) => a * b, 1),
  inner: shape.slice(axis + 1).reduce((a, b) => a * b, 1),
});

export const sliceOp: Primitive<SliceAttributes> = {
  name: 'slice',
  type: ([x], { axis, start, end }) => {
    const from = x!.shape[axis];
    if (from === undefined) throw new Error(`has no axis ${axis}`);
    const length = subtractDimensions(end, start);
    const outside = [start, length, subtractDimensions(from, end)].some((part) => typeof part === 'number' && part < 0);
    if (outside) throw new Error(`[${start}, ${end}) does not lie within axis ${axis} of size ${from}`);
    return { dtype: x!.dtype, shape: x!.shape.map((dimension, at) => (at === axis ? length : dimension)) };
  },
  gradient: ({ inputs: [x], attributes: { axis, start, end } }, dy) => [pad(dy, axis, start, subtractDimensions(x!.shape[axis]!, end))],
  evaluate: ([x], { axis, start }, { shape, size }) => {
    const { outer, inner } = blocks(shape, axis);
    const [from, length, whole] = [size(start), shape[axis]!, x!.shape[axis]!];
    const result = new Float64Array(outer * length * inner);
    for (let row = 0; row < outer; row++) {
      const at = (row * whole + from) * inner;
      result.set(x!.data.subarray(at, at + length * inner), row * length * inner);
    }
    return result;
  },
  emit: (emitter, [x], { attributes: { axis, start, end } }) =>
    emitter.op('Slice', [x!, emitter.dimension(start), emitter.dimension(end), emitter.ints([axis])]),
};

interface PadAttributes {
  readonly axis: number;
  readonly before: Dimension;
  readonly after: Dimension;
}

/** Zeros before and after along one axis: the adjoint of slice. */
export const padOp: Primitive<PadAttributes> = {
  name: 'pad',
  type: ([x], { axis, before, after }) => {
    const size = x!.shape[axis];
    if (size === undefined) throw new Error(`has no axis ${axis}`);
    if (x!.dtype === 'bool') throw new Error('needs f32 or i32');
    const padded = addDimensions(size, addDimensions(before, after));
    return { dtype: x!.dtype, shape: x!.shape.map((dimension, at) => (at === axis ? padded : dimension)) };
  },
  gradient: ({ inputs: [x], attributes: { axis, before } }, dy) => [slice(dy, axis, before, addDimensions(before, x!.shape[axis]!))],
  evaluate: ([x], { axis, before }, { shape, size }) => {
    const { outer, inner } = blocks(shape, axis);
    const [length, whole] = [x!.shape[axis]!, shape[axis]!];
    const result = new Float64Array(outer * whole * inner);
    for (let row = 0; row < outer; row++) {
      const part = x!.data.subarray(row * length * inner, (row + 1) * length * inner);
      result.set(part, (row * whole + size(before)) * inner);
    }
    return result;
  },
  emit: (emitter, [x], { attributes: { axis, before, after }, dtype }) => {
    const pads = emitter.op('Concat', [emitter.dimension(before), emitter.dimension(after)], { axis: 0 });
    const zero = emitter.literal(dtype === 'f32' ? Float32Array.of(0) : Int32Array.of(0), dtype, []);
    return emitter.op('Pad', [x!, pads, zero, emitter.ints([axis])]);
  },
};

export const concatOp: Primitive<{ axis: number }> = {
  name: 'concat',
  type: (inputs, { axis }) => {
    const first = inputs[0]!;
    if (first.shape[axis] === undefined) throw new Error(`has no axis ${axis}`);
    for (const { dtype, shape } of inputs) {
      const fits = shape.length === first.shape.length && shape.every((dimension, at) => at === axis || dimension === first.shape[at]);
      if (dtype !== first.dtype || !fits) throw new Error(`parts may differ in axis ${axis} alone`);
    }
    const length = inputs.reduce<Dimension>((sum, { shape }) => addDimensions(sum, shape[axis]!), 0);
    return { dtype: first.dtype, shape: first.shape.map((dimension, at) => (at === axis ? length : dimension)) };
  },
  gradient: ({ inputs, attributes: { axis } }, dy, wanted) => {
    let start: Dimension = 0;
    return inputs.map((input, place) => {
      const from = start;
      start = addDimensions(start, input.shape[axis]!);
      return wanted[place] ? slice(dy, axis, from, start) : null;
    });
  },
  evaluate: (inputs, { axis }, { shape }) => {
    const { outer, inner } = blocks(shape, axis);
    const result = new Float64Array(shape.reduce((a, b) => a * b, 1));
    let at = 0;
    for (let row = 0; row < outer; row++) {
      for (const { data, shape: part } of inputs) {
        const width = part[axis]! * inner;
        result.set(data.subarray(row * width, (row + 1) * width), at);
        at += width;
      }
    }
    return result;
  },
  emit: (emitter, inputs, { attributes: { axis } }) => emitter.op('Concat', inputs, { axis }),
};

const axisOf = (x: Value, axis: number): number => (axis < 0 ? axis + x.shape.length : axis);

/** The same elements in row-major order under another shape; one dimension may be -1, to be worked out. */
export const reshape = (x: Value, shape: Shape): Value => {
  const open = shape.indexOf(-1);
  const wanted = shape.map(canonical);
  if (open >= 0) {
    const rest = elementCount(wanted.filter((_, axis) => axis !== open));
    const missing = divideDimensions(elementCount(x.shape), rest);
    if (missing === null) throw new Error(`reshape: ${printShape(x.shape)} does not divide into ${printShape(shape)}`);
    wanted[open] = missing;
  }
  return sameShape(x.shape, wanted) ? x : apply(reshapeOp, [x], { shape: wanted });
};

export const broadcastTo = (x: Value, shape: Shape): Value => {
  const wanted = shape.map(canonical);
  return sameShape(x.shape, wanted) ? x : apply(broadcastToOp, [x], { shape: wanted });
};

/** Axes in the order of `permutation`; default: reversed. */
export const transpose = (x: Value, permutation: readonly number[] = x.shape.map((_, axis) => x.shape.length - 1 - axis)): Value =>
  permutation.every((axis, place) => axis === place) && permutation.length === x.shape.length
    ? x
    : apply(transposeOp, [x], { permutation });

/** Elements `start` up to but not including `end` along `axis` (a negative axis counts from the last). */
export const slice = (x: Value, axis: number, start: Dimension, end: Dimension): Value =>
  apply(sliceOp, [x], { axis: axisOf(x, axis), start: canonical(start), end: canonical(end) });

export const pad = (x: Value, axis: number, before: Dimension, after: Dimension): Value =>
  before === 0 && after === 0 ? x : apply(padOp, [x], { axis: axisOf(x, axis), before: canonical(before), after: canonical(after) });

export const concat = (parts: readonly [Value, ...Value[]], axis: number): Value =>
  parts.length === 1 ? parts[0] : apply(concatOp, parts, { axis: axisOf(parts[0], axis) });
