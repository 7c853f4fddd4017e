import type { Copier, DeviceTensor, Executable } from '@tunefleet/tensor';
import { gradientName } from '../model/pass-graph.js';
import { nextOf, stateInput, sumGraph } from '../optimizers/on-device.js';
import type { FlatLayout } from '../parameters.js';
import { type CompileState, stateFeeds } from './device-state.js';
import type { GradientSum } from './training-state.js';

/** Gradients in tensors of a provider, one a slot. */
export class DeviceGradients implements GradientSum {
  readonly #layout: FlatLayout;
  readonly #sums: readonly DeviceTensor[];
  readonly #allocate: () => DeviceTensor[];
  readonly #mover: Copier;
  readonly #compile: CompileState;
  /** Of a micro-batch that is not its group's first; a run without such has none. */
  #addends: readonly DeviceTensor[] | null = null;
  #adding: Executable | null = null;

  constructor(layout: FlatLayout, allocate: () => DeviceTensor[], mover: Copier, compileState: CompileState) {
    this.#layout = layout;
    this.#sums = allocate();
    this.#allocate = allocate;
    this.#mover = mover;
    this.#compile = compileState;
  }

  /** The sums, as graphs over state read them. */
  get feeds(): Record<string, DeviceTensor> {
    return stateFeeds('gradient', this.#sums);
  }

  places(first: boolean): Record<string, DeviceTensor> {
    if (!first) this.#addends ??= this.#allocate();
    const target = first ? this.#sums : this.#addends!;
    return Object.fromEntries(target.map((tensor, index) => [gradientName(index), tensor]));
  }

  async add(first: boolean): Promise<void> {
    if (first) return;
    this.#adding ??= await this.#compile(sumGraph(this.#layout));
    const places = Object.fromEntries(this.#sums.map((tensor, index) => [nextOf(stateInput('gradient', index)), tensor]));
    const feeds = { ...this.feeds, ...stateFeeds('addend', this.#addends!), whole: Float32Array.of(1) };
    await this.#adding.run(feeds, this.#adding.outputNames, places);
  }

  async clear(): Promise<void> {
    for (const [index, { length }] of this.#layout.slots.entries()) await this.#mover.copy(new Float32Array(length), this.#sums[index]!);
  }

  async release(): Promise<void> {
    for (const tensor of [...this.#sums, ...(this.#addends ?? [])]) tensor.release();
    await this.#adding?.release();
  }
}
