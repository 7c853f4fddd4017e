import type { Feed } from '@tunefleet/tensor';
import type { AdamWState, ParameterRange } from '../optimizers/adamw.js';
import { type ParameterSlot, viewOf } from '../parameters.js';

/**
 * An embedding table of which a batch reads few rows. The graph gathers each of them once and gives the gradient of those rows alone, and a
 * row that was never read has zero moments, so that AdamW without decay leaves it as it is: it need not be visited. The bits are those of
 * the whole table.
 */
export class TouchedRows {
  readonly #slot: ParameterSlot;
  readonly #width: number;
  /** 1: the row may have a gradient or moments */
  readonly #live: Uint8Array;
  /** rows with a gradient in the present group of micro-batches */
  #group: Int32Array[] = [];

  constructor(slot: ParameterSlot) {
    this.#slot = slot;
    this.#width = slot.shape[1]!;
    this.#live = new Uint8Array(slot.shape[0]!);
  }

  /** Adds the gradient [rows, width] of distinct rows to the flat gradients; `first`: of a group, whose table then begins at zero. */
  add(rows: Int32Array, gradient: Float32Array, flat: Float32Array, first: boolean): void {
    const table = viewOf(flat, this.#slot);
    const width = this.#width;
    if (first) {
      for (const before of this.#group) for (const row of before) table.fill(0, row * width, (row + 1) * width);
      this.#group = [];
    }
    this.#group.push(rows);
    rows.forEach((row, place) => {
      this.#live[row] = 1;
      const target = row * width;
      const source = place * width;
      for (let i = 0; i < width; i++) table[target + i]! += gradient[source + i]!;
    });
  }

  /** What a resumed run knows of the rows that were read before. */
  recall({ first, second }: AdamWState): void {
    const moments = [viewOf(first, this.#slot), viewOf(second, this.#slot)];
    for (let row = 0; row < this.#live.length; row++) {
      const [start, end] = [row * this.#width, (row + 1) * this.#width];
      if (moments.some((moment) => moment.subarray(start, end).some((value) => value !== 0))) this.#live[row] = 1;
    }
  }

  /** Live rows, neighbours together. */
  ranges(): Pick<ParameterRange, 'start' | 'end'>[] {
    const found: { start: number; end: number }[] = [];
    const { offset } = this.#slot;
    this.#live.forEach((live, row) => {
      if (live === 0) return;
      const start = offset + row * this.#width;
      const before = found.at(-1);
      if (before?.end === start) before.end += this.#width;
      else found.push({ start, end: start + this.#width });
    });
    return found;
  }
}

interface DistinctRows {
  rows: Int32Array;
  /** of each token, its row's place in `rows` */
  places: Int32Array;
}

/** Of each table that learns by rows, by its slot's name, the rows that a batch reads. */
export type RowsRead = ReadonlyMap<string, DistinctRows>;

/** Distinct `ids` [tokens] in the order of their first use. */
export function distinctRows(ids: Int32Array): DistinctRows {
  const placeOf = new Map<number, number>();
  const places = ids.map((id) => {
    const place = placeOf.get(id) ?? placeOf.size;
    placeOf.set(id, place);
    return place;
  });
  return { rows: Int32Array.from(placeOf.keys()), places };
}

/** Rows of a table whose ranges begin at multiples of four elements, as the kernels of the optimizer want them. */
export const hasTouchableRows = ({ shape }: Pick<ParameterSlot, 'shape'>): boolean => shape.length === 2 && shape[1]! % 4 === 0;

/** Names of a table's two inputs. */
export const rowInputs = (table: string): { rows: string; places: string } => ({ rows: `${table}.rows`, places: `${table}.places` });

/** Of a table by its slot's name and the name of the input that its ids come from. */
export const rowFeeds = (table: string, { rows, places }: DistinctRows): Record<string, Feed> => ({
  [rowInputs(table).rows]: rows,
  [rowInputs(table).places]: places,
});
