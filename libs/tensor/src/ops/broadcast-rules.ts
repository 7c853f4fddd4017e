import { type Dimension, printShape, type Shape } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { reshape } from './movement.js';
import { reduceSum } from './reduction.js';

/** Shape of an elementwise operation: axes align from the right; equal, or one of them 1. */
export const broadcastShapes = (...shapes: readonly Shape[]): Dimension[] => {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dimension = 1;
    for (const shape of shapes) {
      const dimension = shape[axis - rank + shape.length] ?? 1;
      if (dimension === 1 || dimension === result) continue;
      if (result !== 1) throw new Error(`shapes ${shapes.map(printShape).join(' and ')} do not broadcast`);
      result = dimension;
    }
    return result;
  });
};

/** Adjoint of broadcasting: sums `gradient` over the axes along which a tensor of `shape` was repeated. */
export const unbroadcast = (gradient: Value, shape: Shape): Value => {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((dimension, axis) => (axis < lead || (shape[axis - lead] === 1 && dimension !== 1) ? [axis] : []));
  return axes.length === 0 ? gradient : reshape(reduceSum(gradient, axes), shape);
};

/**
 * Visits the elements of `shape` in row-major order with the offset of each in every operand that broadcasts to it.
 * The offsets array is reused.
 */
export const forEachBroadcast = (
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  visit: (index: number, offsets: readonly number[]) => void,
): void => {
  const rank = shape.length;
  const strides = operands.map((operand) => {
    const result = new Array<number>(rank).fill(0);
    let stride = 1;
    for (let axis = rank - 1; axis >= rank - operand.length; axis--) {
      const dimension = operand[axis - rank + operand.length]!;
      if (dimension !== 1) result[axis] = stride;
      stride *= dimension;
    }
    return result;
  });
  const count = shape.reduce((a, b) => a * b, 1);
  const position = new Array<number>(rank).fill(0);
  const offsets = operands.map(() => 0);
  for (let index = 0; index < count; index++) {
    visit(index, offsets);
    for (let axis = rank - 1; axis >= 0; axis--) {
      position[axis]!++;
      strides.forEach((stride, operand) => {
        offsets[operand]! += stride[axis]!;
      });
      if (position[axis]! < shape[axis]!) break;
      strides.forEach((stride, operand) => {
        offsets[operand]! -= stride[axis]! * shape[axis]!;
      });
      position[axis] = 0;
    }
  }
};
