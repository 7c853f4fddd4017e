import type { DType, Value } from '../graph/value.js';
import { NUMBERS, type Operand, pair } from './arithmetic.js';
import { broadcastShapes, forEachBroadcast, unbroadcast } from './broadcast-rules.js';
import { apply, type Primitive } from './primitive.js';

const predicate = (name: string, onnx: string, dtypes: () => readonly DType[], test: (a: number, b: number) => boolean): Primitive => ({
  name,
  type: ([a, b]) => {
    if (a!.dtype !== b!.dtype || !dtypes().includes(a!.dtype)) throw new Error(`needs two operands of one dtype of ${dtypes().join(', ')}`);
    return { dtype: 'bool', shape: broadcastShapes(a!.shape, b!.shape) };
  },
  gradient: 'none',
  evaluate: ([a, b], _, { shape }) => {
    const result = new Float64Array(shape.reduce((x, y) => x * y, 1));
    forEachBroadcast(shape, [a!.shape, b!.shape], (index, [i, j]) => {
      result[index] = test(a!.data[i!]!, b!.data[j!]!) ? 1 : 0;
    });
    return result;
  },
  emit: (emitter, inputs) => emitter.op(onnx, inputs),
});

const BOOLEANS = (): readonly DType[] => ['bool'];

export const equalOp = predicate(
  'equal',
  'Equal',
  () => NUMBERS,
  (a, b) => a === b,
);
export const lessOp = predicate(
  'less',
  'Less',
  () => NUMBERS,
  (a, b) => a < b,
);
export const lessOrEqualOp = predicate(
  'lessOrEqual',
  'LessOrEqual',
  () => NUMBERS,
  (a, b) => a <= b,
);
export const andOp = predicate('and', 'And', BOOLEANS, (a, b) => a !== 0 && b !== 0);
export const orOp = predicate('or', 'Or', BOOLEANS, (a, b) => a !== 0 || b !== 0);

export const notOp: Primitive = {
  name: 'not',
  type: ([x]) => {
    if (x!.dtype !== 'bool') throw new Error('needs bool');
    return { dtype: 'bool', shape: x!.shape };
  },
  gradient: 'none',
  evaluate: ([x]) => x!.data.map((element) => (element === 0 ? 1 : 0)),
  emit: (emitter, inputs) => emitter.op('Not', inputs),
};

/** Elementwise choice: `a` where `condition` holds, else `b`; the three broadcast. */
export const whereOp: Primitive = {
  name: 'where',
  type: ([condition, a, b]) => {
    if (condition!.dtype !== 'bool') throw new Error('the condition must be bool');
    if (a!.dtype !== b!.dtype) throw new Error('both choices must have one dtype');
    return { dtype: a!.dtype, shape: broadcastShapes(condition!.shape, a!.shape, b!.shape) };
  },
  gradient: ({ inputs }, gradient, wanted) => {
    const [condition, a, b] = inputs as [Value, Value, Value];
    return [
      null,
      wanted[1] ? unbroadcast(where(condition, gradient, 0), a.shape) : null,
      wanted[2] ? unbroadcast(where(condition, 0, gradient), b.shape) : null,
    ];
  },
  evaluate: ([condition, a, b], _, { shape }) => {
    const result = new Float64Array(shape.reduce((x, y) => x * y, 1));
    forEachBroadcast(shape, [condition!.shape, a!.shape, b!.shape], (index, [c, i, j]) => {
      result[index] = condition!.data[c!] === 0 ? b!.data[j!]! : a!.data[i!]!;
    });
    return result;
  },
  emit: (emitter, inputs) => emitter.op('Where', inputs),
};

// Comparisons and logic broadcast like arithmetic and give bool; no gradient flows through them.
export const equal = (a: Operand, b: Operand): Value => apply(equalOp, pair('equal', a, b), {});
export const less = (a: Operand, b: Operand): Value => apply(lessOp, pair('less', a, b), {});
export const lessOrEqual = (a: Operand, b: Operand): Value => apply(lessOrEqualOp, pair('lessOrEqual', a, b), {});
export const greater = (a: Operand, b: Operand): Value => less(b, a);
export const greaterOrEqual = (a: Operand, b: Operand): Value => lessOrEqual(b, a);
export const and = (a: Value, b: Value): Value => apply(andOp, [a, b], {});
export const or = (a: Value, b: Value): Value => apply(orOp, [a, b], {});
export const not = (a: Value): Value => apply(notOp, [a], {});
export const where = (condition: Value, a: Operand, b: Operand): Value => apply(whereOp, [condition, ...pair('where', a, b)], {});
