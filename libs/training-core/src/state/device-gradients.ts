import { type Copier, type DeviceTensor, type Executable, releaseAll } from '@tunefleet/tensor';
import { gradientName } from '../model/pass-graph.js';
import { nextOf, stateInput, sumGraph } from '../optimizers/on-device.js';
import type { FlatLayout } from '../parameters.js';
import { allocateAll } from './allocate-all.js';
import { type CompileState, stateFeeds } from './device-state.js';
import type { GradientSum } from './training-state.js';

/** Gradients in tensors of a provider, one a slot. */
export class DeviceGradients implements GradientSum {
  readonly #layout: FlatLayout;
  readonly #sums: readonly DeviceTensor[];
  readonly #mover: Copier;
  readonly #compile: CompileState;
  /** Of a micro-batch that is not its group's first; a run without such has none. */
  #addends: readonly DeviceTensor[] | null = null;
  #adding: Executable | null = null;

  /** Throws where the device has no room for the sums; nothing of them is held then. */
  constructor(layout: FlatLayout, mover: Copier, compileState: CompileState) {
    this.#layout = layout;
    this.#sums = allocateAll(mover, layout.slots);
    this.#mover = mover;
    this.#compile = compileState;
  }

  /** The sums, as graphs over state read them. */
  get feeds(): Record<string, DeviceTensor> {
    return stateFeeds('gradient', this.#sums);
  }

  places(first: boolean): Record<string, DeviceTensor> {
    if (!first) this.#addends ??= allocateAll(this.#mover, this.#layout.slots);
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
    await releaseAll([...this.#sums, ...(this.#addends ?? []), this.#adding].map((one) => () => one?.release()));
  }
}
