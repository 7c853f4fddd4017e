import { releaseTensors, type Tensor } from '@tunefleet/tensor';
import { type RowsRead, TouchedRows } from '../loop/touched-rows.js';
import { gradientName } from '../model/pass-graph.js';
import type { ModelGraph } from '../model/trainable.js';
import { addInto } from '../optimizers/accumulation.js';
import { type AdamWSpec, initAdamW, type ParameterRange, updateAdamW } from '../optimizers/adamw.js';
import { globalNorm } from '../optimizers/clipping.js';
import { viewOf } from '../parameters.js';
import type { SnapshotState } from '../snapshot/snapshot.js';
import type { GradientSum, TrainingState } from './training-state.js';

/** State in flat arrays of this process, updated in place by WebAssembly: for the CPU, which reads and writes them without a copy. */
export class HostState implements TrainingState {
  readonly #state: SnapshotState;
  readonly #optimizer: AdamWSpec;
  readonly #gradients: HostGradients;
  readonly parameters: TrainingState['parameters'];

  constructor({ layout, tables }: Pick<ModelGraph, 'layout' | 'tables'>, optimizer: AdamWSpec) {
    this.#state = { layout, parameters: new Float32Array(layout.size), moments: initAdamW(layout.size) };
    this.#optimizer = optimizer;
    this.#gradients = new HostGradients(layout, [...(tables?.keys() ?? [])]);
    this.parameters = Object.fromEntries(layout.slots.map((slot) => [slot.name, viewOf(this.#state.parameters, slot)]));
  }

  get gradients(): GradientSum {
    return this.#gradients;
  }

  get updates(): number {
    return this.#state.moments.step;
  }

  async begin(fill: (state: SnapshotState) => Promise<void>): Promise<void> {
    await fill(this.#state);
    for (const table of this.#gradients.tables.values()) table.recall(this.#state.moments);
  }

  norm(factor: number): Promise<number> {
    return Promise.resolve(globalNorm(this.#gradients.sum, this.#gradients.touched()) * factor);
  }

  update(factor: number, rate: number): Promise<void> {
    const { layout, parameters, moments } = this.#state;
    const all = layout.slots.map(({ offset, length, decayed }) => ({ start: offset, end: offset + length, decayed }));
    const ranges = this.#optimizer.weight_decay === 0 ? this.#gradients.touched() : all;
    updateAdamW(this.#optimizer, moments, parameters, this.#gradients.sum, ranges, factor, rate);
    return Promise.resolve();
  }

  readParameters(): Promise<Float32Array> {
    return Promise.resolve(this.#state.parameters);
  }

  read(): Promise<SnapshotState> {
    return Promise.resolve(this.#state);
  }

  release(): Promise<void> {
    return Promise.resolve();
  }
}

/** Flat gradients, laid out as the parameters. */
class HostGradients implements GradientSum {
  readonly #layout: ModelGraph['layout'];
  readonly tables: ReadonlyMap<string, TouchedRows>;
  readonly sum: Float32Array;
  /** Those of a micro-batch that is not its group's first. */
  #addend: Float32Array | null = null;

  constructor(layout: ModelGraph['layout'], tables: readonly string[]) {
    this.#layout = layout;
    this.sum = new Float32Array(layout.size);
    this.tables = new Map(tables.map((name) => [name, new TouchedRows(layout.slots.find((slot) => slot.name === name)!)]));
  }

  places(first: boolean): Record<string, Float32Array> {
    if (!first) this.#addend ??= new Float32Array(this.sum.length);
    const target = first ? this.sum : this.#addend!;
    const places = this.#layout.slots.flatMap((slot, index) =>
      this.tables.has(slot.name) ? [] : [[gradientName(index), viewOf(target, slot)] as const],
    );
    return Object.fromEntries(places);
  }

  add(first: boolean, results: Readonly<Record<string, Tensor>>, rows: RowsRead): Promise<void> {
    if (!first) addInto(this.sum, this.#addend!);
    for (const [name, table] of this.tables) {
      const gradient = results[gradientName(this.#layout.slots.findIndex((slot) => slot.name === name))]!;
      table.add(rows.get(name)!.rows, gradient.data as Float32Array, this.sum, first);
      releaseTensors([gradient]);
    }
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.sum.fill(0);
    return Promise.resolve();
  }

  /** Ranges of the parameters that may have a gradient or moments: whole tensors, and of tables that learn by rows the rows read so far. */
  touched(): ParameterRange[] {
    return this.#layout.slots.flatMap(({ name, offset, length, decayed }) => {
      const ranges = this.tables.get(name)?.ranges() ?? [{ start: offset, end: offset + length }];
      return ranges.map((range) => ({ ...range, decayed }));
    });
  }
}
