import { ELEMENT_BYTES, GROUP_ROWS, type MatrixKind, UNIT_COLUMNS } from './products.js';

// A matrix as row products read it: [groups of 4 rows, units of 8 columns, row, column], filled up with zeros.

export const groupsOf = (rows: number): number => Math.ceil(rows / GROUP_ROWS);
export const unitsOf = (columns: number): number => Math.ceil(columns / UNIT_COLUMNS);
export const groupBytes = (kind: MatrixKind, columns: number): number => GROUP_ROWS * UNIT_COLUMNS * unitsOf(columns) * ELEMENT_BYTES[kind];

/** Whether every element is a bfloat16 number: its 16 lower bits are zero. */
export const areBfloat16 = (bits: Uint32Array): boolean => {
  let lower = 0;
  for (let at = 0; at < bits.length; at++) lower |= bits[at]!;
  return (lower & 0xffff) === 0;
};

/** Where an element lies in its group; of the words of a bf16 unit, columns 0..3 are the lower halves, 4..7 the upper ones. */
const placeOf = (kind: MatrixKind, row: number, column: number): number => {
  const [unit, within] = [Math.floor(column / UNIT_COLUMNS), column % UNIT_COLUMNS];
  const place = kind === 'f32' ? within : 2 * (within % 4) + Math.floor(within / 4);
  return (unit * GROUP_ROWS + row) * UNIT_COLUMNS + place;
};

/** Places of a row's columns in its group, in elements. */
const placesOf = (kind: MatrixKind, columns: number): Uint32Array[] =>
  Array.from({ length: GROUP_ROWS }, (_, row) => Uint32Array.from({ length: columns }, (__, column) => placeOf(kind, row, column)));

/** Writes the rows of `bits` (float32, [n, columns]) as groups; the last one may hold fewer than 4. `into` is zero before. */
export const packRows = (kind: MatrixKind, bits: Uint32Array, columns: number, into: Uint32Array | Uint16Array): void => {
  const places = placesOf(kind, columns);
  const elements = GROUP_ROWS * UNIT_COLUMNS * unitsOf(columns);
  const shift = kind === 'bf16' ? 16 : 0;
  for (let row = 0; row * columns < bits.length; row++) {
    const place = places[row % GROUP_ROWS]!;
    const group = Math.floor(row / GROUP_ROWS) * elements;
    for (let column = 0; column < columns; column++) into[group + place[column]!] = bits[row * columns + column]! >>> shift;
  }
};

/** Where element (row, column) lies, in elements from the matrix' beginning. */
export const packedPlace = (kind: MatrixKind, columns: number, row: number, column: number): number =>
  Math.floor(row / GROUP_ROWS) * GROUP_ROWS * UNIT_COLUMNS * unitsOf(columns) + placeOf(kind, row % GROUP_ROWS, column);
