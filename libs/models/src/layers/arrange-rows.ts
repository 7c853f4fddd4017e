import { gather, type Primitive, pad, reshape, type Value } from '@tunefleet/tensor';

/**
 * Rows of `x` [n, ...] by `index` [...], in which each row that matters occurs once; `inverse` [n] in any shape says where in index.
 * So the gradient is a gather too, where a plain gather's is a scatter: no race, no zero fill, no sum.
 * gaps: `inverse` holds index's number of entries for rows that were not taken; their gradient is zero.
 */
const arrangeRowsOp: Primitive<{ gaps: boolean }> = {
  name: 'arrangeRows',
  work: 'movement',
  type([x, index, inverse]) {
    if (index!.dtype !== 'i32' || inverse!.dtype !== 'i32') throw new Error('index and inverse must be i32');
    return { dtype: x!.dtype, shape: [...index!.shape, ...x!.shape.slice(1)] };
  },
  gradient({ inputs, attributes: { gaps } }, dy) {
    const [x, , inverse] = inputs as [Value, Value, Value];
    const rows = reshape(dy, [-1, ...x.shape.slice(1)]);
    return [gather(gaps ? pad(rows, 0, 0, 1) : rows, reshape(inverse, [-1])), null, null];
  },
  evaluate([x, index]) {
    const width = x!.shape.slice(1).reduce((a, b) => a * b, 1);
    const result = new Float64Array(index!.data.length * width);
    index!.data.forEach((row, place) => {
      result.set(x!.data.subarray(row * width, (row + 1) * width), place * width);
    });
    return result;
  },
  emit: (emitter, [x, index]) => emitter.op('Gather', [x!, index!], { axis: 0 }),
};

export const arrangeRows = (x: Value, index: Value, inverse: Value, { gaps = false } = {}): Value =>
  x.builder.append(arrangeRowsOp as Primitive, [x, index, inverse], { gaps });
