import type { Dimension } from '../graph/dimension.js';
import { printShape, sameShape } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { equal, where } from './comparison.js';
import { iota } from './leaves.js';
import { broadcastTo, reshape } from './movement.js';
import { apply, type NdArray, type Primitive } from './primitive.js';

/**
 * Rows of `table` [rows, ...] by `ids` [...] of i32 in 0..rows-1: [...ids, ...]. A larger id is an error of the run; a negative one is not
 * found out.
 */
export const gatherOp: Primitive = {
  name: 'gather',
  type: ([table, ids]) => {
    if (ids!.dtype !== 'i32') throw new Error('ids must be i32');
    if (table!.shape.length === 0) throw new Error('the table needs rank 1 or more');
    return { dtype: table!.dtype, shape: [...ids!.shape, ...table!.shape.slice(1)] };
  },
  gradient: ({ inputs }, dy) => {
    const [table, ids] = inputs as [Value, Value];
    const rows = reshape(dy, [-1, ...table.shape.slice(1)]);
    return [scatterAddRows(table.shape[0]!, reshape(ids, [-1]), rows), null];
  },
  evaluate: ([table, ids]) => {
    const width = table!.shape.slice(1).reduce((a, b) => a * b, 1);
    const result = new Float64Array(ids!.data.length * width);
    ids!.data.forEach((id, place) => {
      if (id < 0 || id >= table!.shape[0]!) throw new RangeError(`gather: id ${id} is outside 0..${table!.shape[0]! - 1}`);
      result.set(table!.data.subarray(id * width, (id + 1) * width), place * width);
    });
    return result;
  },
  emit: (emitter, inputs) => emitter.op('Gather', inputs, { axis: 0 }),
};

/**
 * Sums `updates` [n, ...] by `ids` [n] into `rows` zero rows, or into the rows of a third input: the gradient of gather. ScatterElements,
 * because ScatterND with reduction=add is a data race on repeated indices.
 */
export const scatterAddRowsOp: Primitive<{ rows: Dimension }> = {
  name: 'scatterAddRows',
  type: ([ids, updates, into], { rows }) => {
    if (ids!.dtype !== 'i32' || updates!.dtype !== 'f32') throw new Error('needs i32 ids and f32 updates');
    if (ids!.shape.length !== 1 || updates!.shape[0] !== ids!.shape[0]) throw new Error('needs one id per row of updates');
    const shape = [rows, ...updates!.shape.slice(1)];
    if (into && (into.dtype !== 'f32' || !sameShape(into.shape, shape)))
      throw new Error(`what is summed into must be f32 ${printShape(shape)}`);
    return { dtype: 'f32', shape };
  },
  gradient: ({ inputs: [ids] }, dy) => [null, gather(dy, ids!), dy],
  evaluate: ([ids, updates, into], _, { shape }) => {
    const width = shape.slice(1).reduce((a, b) => a * b, 1);
    const result = into ? Float64Array.from(into.data) : new Float64Array(shape[0]! * width);
    ids!.data.forEach((id, row) => {
      for (let column = 0; column < width; column++) result[id * width + column]! += updates!.data[row * width + column]!;
    });
    return result;
  },
  emit: (emitter, [ids, updates, into], { inputs, shape }) => {
    const update = inputs[1]!;
    const sums = into ?? emitter.op('Expand', [emitter.float(0), emitter.shape(shape)]);
    const column = emitter.op('Reshape', [ids!, emitter.shape([update.shape[0]!, ...update.shape.slice(1).map(() => 1)])], {
      allowzero: 1,
    });
    const everywhere = emitter.op('Expand', [column, emitter.shape(update.shape)]);
    return emitter.op('ScatterElements', [sums, everywhere, updates!], { axis: 0, reduction: 'add' });
  },
};

const rowsOf = ({ data, shape }: NdArray): { width: number; row(index: number): Float64Array } => {
  const width = shape.at(-1)!;
  return { width, row: (index) => data.subarray(index * width, (index + 1) * width) };
};

/** One element of each row of `x` [..., n], by `ids` [...] of i32 in 0..n-1: [...]. */
export const pickOp: Primitive = {
  name: 'pick',
  type: ([x, ids]) => {
    if (ids!.dtype !== 'i32' || x!.dtype !== 'f32') throw new Error('needs f32 rows and i32 ids');
    const rows = x!.shape.slice(0, -1);
    if (rows.length !== ids!.shape.length || rows.some((dimension, axis) => dimension !== ids!.shape[axis])) {
      throw new Error(`needs one id per row, ids of shape ${printShape(rows)}`);
    }
    return { dtype: 'f32', shape: rows };
  },
  gradient: ({ inputs }, dy) => {
    const [x, ids] = inputs as [Value, Value];
    const column = (value: Value): Value => reshape(value, [...value.shape, 1]);
    const hit = equal(iota(x.builder, x.shape.at(-1)!), column(ids));
    return [where(hit, broadcastTo(column(dy), x.shape), 0), null];
  },
  evaluate: ([x, ids]) => {
    const { width, row } = rowsOf(x!);
    return ids!.data.map((id, index) => {
      if (id < 0 || id >= width) throw new RangeError(`pick: id ${id} is outside 0..${width - 1}`);
      return row(index)[id]!;
    });
  },
  emit: (emitter, [x, ids], { inputs }) => {
    const shape = inputs[1]!.shape;
    const column = emitter.op('Reshape', [ids!, emitter.shape([...shape, 1])], { allowzero: 1 });
    const picked = emitter.op('GatherElements', [x!, column], { axis: shape.length });
    return emitter.op('Reshape', [picked, emitter.shape(shape)], { allowzero: 1 });
  },
};

export const gather = (table: Value, ids: Value): Value => apply(gatherOp, [table, ids], {});
export const scatterAddRows = (rows: Dimension, ids: Value, updates: Value, into?: Value): Value =>
  apply(scatterAddRowsOp, into ? [ids, updates, into] : [ids, updates], { rows });
export const pick = (x: Value, ids: Value): Value => apply(pickOp, [x, ids], {});
