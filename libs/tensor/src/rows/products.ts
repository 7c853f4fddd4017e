// Products of one row with a frozen matrix, and of one query with a cache: each weight is used once, so that reading it is all the work
// there is.

import {
  advance,
  binary,
  type Code,
  get,
  I32,
  instantiateOver,
  load,
  type SharedMemory,
  set,
  signed,
  simd,
  store,
  times,
  unsigned,
  V128,
  type WasmFunction,
} from '../webassembly/assembler.js';

/** Rows of a matrix that lie interleaved: one stream of memory, and eight sums that do not wait for each other. */
export const GROUP_ROWS = 4;
/** Columns of a row that lie together; a matrix is filled up with zeros to a multiple. */
export const UNIT_COLUMNS = 8;

/** f32: as they are. bf16: the upper halves, of weights whose lower halves are zero: half the bytes, the same numbers. */
export type MatrixKind = 'f32' | 'bf16';
export const ELEMENT_BYTES: Readonly<Record<MatrixKind, number>> = { f32: 4, bf16: 2 };

const LANE_BYTES = 16;
const add = binary(0xe4);
const multiply = binary(0xe6);
const and = binary(0x4e);
const zero: Code = [...simd(0x0c), ...new Array<number>(16).fill(0)];
const upperHalves: Code = [...simd(0x0c), ...[0, 1, 2, 3].flatMap(() => [0, 0, 0xff, 0xff])];
const shiftedLeft = (a: Code, bits: number): Code => [...a, 0x41, ...signed(bits), ...simd(0xab)];
const plus = (sum: number, a: Code, b: Code): Code => [...add(get(sum), multiply(a, b)), ...set(sum)];
/** The four lanes of a local, added from the first to the last. */
const lanesOf = (local: number): Code =>
  [0, 1, 2, 3].flatMap((lane) => [...get(local), ...simd(0x1f), lane, ...(lane === 0 ? [] : [0x92])]);
const storeFloat = (at: number, offset: number, value: Code): Code => [...get(at), ...value, 0x38, 2, ...unsigned(offset)];

/** [4 `groups`] of the sums over `units` x 8 columns of weights (as `packRows` lays them out) and x, into y. */
const productsOf = (kind: MatrixKind): Pick<WasmFunction, 'parameters' | 'locals' | 'body'> => {
  const [weights, x, y, groups, units, left, begin] = [0, 1, 2, 3, 4, 5, 6];
  const first = 7;
  const [word, x0, x1] = [first + 2 * GROUP_ROWS, first + 2 * GROUP_ROWS + 1, first + 2 * GROUP_ROWS + 2];
  const rows = Array.from({ length: GROUP_ROWS }, (_, row) => ({ row, low: first + 2 * row, high: first + 2 * row + 1 }));
  const rowBytes = UNIT_COLUMNS * ELEMENT_BYTES[kind];
  const unit = [
    ...[...load(x, 0), ...set(x0), ...load(x, LANE_BYTES), ...set(x1)],
    ...rows.flatMap(({ row, low, high }) =>
      kind === 'f32'
        ? [...plus(low, load(weights, rowBytes * row), get(x0)), ...plus(high, load(weights, rowBytes * row + LANE_BYTES), get(x1))]
        : [
            ...[...load(weights, rowBytes * row), ...set(word)],
            ...[...plus(low, shiftedLeft(get(word), 16), get(x0)), ...plus(high, and(get(word), upperHalves), get(x1))],
          ],
    ),
    ...[...advance(weights, rowBytes * GROUP_ROWS), ...advance(x, 4 * UNIT_COLUMNS)],
  ];
  const group = [
    ...rows.flatMap(({ low, high }) => [...zero, ...set(low), ...zero, ...set(high)]),
    ...[...get(begin), ...set(x), ...get(units), ...set(left)],
    ...times(left, unit),
    ...rows.flatMap(({ row, low, high }) => [...add(get(low), get(high)), ...set(low), ...storeFloat(y, 4 * row, lanesOf(low))]),
    ...advance(y, 4 * GROUP_ROWS),
  ];
  return {
    parameters: [I32, I32, I32, I32, I32],
    locals: [
      [2, I32],
      [2 * GROUP_ROWS + 3, V128],
    ],
    body: [...get(x), ...set(begin), ...times(groups, group)],
  };
};

/** Columns of a vector. */
export const QUAD = 4;
/** Columns of a turn of the faster functions. */
export const WIDE = 16;
type Turn = typeof QUAD | typeof WIDE;

const offsetsOf = (turn: Turn): number[] => Array.from({ length: turn / QUAD }, (_, quad) => LANE_BYTES * quad);

/** [`rows`] of the sums over `turns` x `turn` columns of each row and x, into y. */
const dotsOf = (turn: Turn): Pick<WasmFunction, 'parameters' | 'locals' | 'body'> => {
  const [matrix, x, y, rows, turns, left, begin, even, odd] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const step = [
    ...offsetsOf(turn).flatMap((offset, quad) => plus(quad % 2 === 0 ? even : odd, load(matrix, offset), load(x, offset))),
    ...[...advance(matrix, 4 * turn), ...advance(x, 4 * turn)],
  ];
  const row = [
    ...[...zero, ...set(even), ...zero, ...set(odd), ...get(begin), ...set(x), ...get(turns), ...set(left)],
    ...[...times(left, step), ...add(get(even), get(odd)), ...set(even), ...storeFloat(y, 0, lanesOf(even)), ...advance(y, 4)],
  ];
  return {
    parameters: [I32, I32, I32, I32, I32],
    locals: [
      [2, I32],
      [2, V128],
    ],
    body: [...get(x), ...set(begin), ...times(rows, row)],
  };
};

/** Adds to y [`turns` x `turn`] each of `rows` rows times its weight. */
const addRowsOf = (turn: Turn): Pick<WasmFunction, 'parameters' | 'locals' | 'body'> => {
  const [matrix, weights, y, rows, turns, left, begin, weight] = [0, 1, 2, 3, 4, 5, 6, 7];
  const step = [
    ...offsetsOf(turn).flatMap((offset) => store(y, offset, add(load(y, offset), multiply(load(matrix, offset), get(weight))))),
    ...[...advance(matrix, 4 * turn), ...advance(y, 4 * turn)],
  ];
  const row = [
    ...[...get(weights), 0x2a, 2, 0, ...simd(0x13), ...set(weight), ...get(begin), ...set(y), ...get(turns), ...set(left)],
    ...[...times(left, step), ...advance(weights, 4)],
  ];
  return {
    parameters: [I32, I32, I32, I32, I32],
    locals: [
      [2, I32],
      [1, V128],
    ],
    body: [...get(y), ...set(begin), ...times(rows, row)],
  };
};

const FUNCTIONS = [
  { name: 'f32' as const, ...productsOf('f32') },
  { name: 'bf16' as const, ...productsOf('bf16') },
  { name: 'dots' as const, ...dotsOf(QUAD) },
  { name: 'wideDots' as const, ...dotsOf(WIDE) },
  { name: 'addRows' as const, ...addRowsOf(QUAD) },
  { name: 'addWideRows' as const, ...addRowsOf(WIDE) },
];

/** Counts are 1 or more; addresses of vectors need no alignment. */
export type RowProducts = Record<MatrixKind, (weights: number, x: number, y: number, groups: number, units: number) => void> &
  Record<'dots' | 'wideDots', (matrix: number, x: number, y: number, rows: number, turns: number) => void> &
  Record<'addRows' | 'addWideRows', (matrix: number, weights: number, y: number, rows: number, turns: number) => void>;

export const rowProducts = (memory: SharedMemory): RowProducts => instantiateOver(FUNCTIONS, memory);
