import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Copier, compile, copier, type DeviceTensor, type Executable, type Provider, releaseAll } from '@tunefleet/tensor';
import { openWhole } from '../open-whole.js';
import { type AdamWSpec, initAdamW } from '../optimizers/adamw.js';
import { nextOf, normGraph, type StateGraph, type StateKind, stateInput, updateGraph, updateScalars } from '../optimizers/on-device.js';
import { type StateGroup, stateGroups } from '../optimizers/state-groups.js';
import { type FlatLayout, viewOf } from '../parameters.js';
import type { SnapshotState } from '../snapshot/snapshot.js';
import type { TrainingSpec } from '../spec.js';
import { allocateAll } from './allocate-all.js';
import { DeviceGradients } from './device-gradients.js';
import type { GradientSum, TrainingState } from './training-state.js';

export interface DeviceSettings extends Pick<TrainingSpec, 'threads'> {
  provider: Provider;
  optimizer: AdamWSpec;
  /** an existing folder */
  scratch: string;
}

type Kept = Exclude<StateKind, 'gradient' | 'addend'>;
type Moment = Exclude<Kept, 'parameter'>;

interface StateGraphs {
  readonly update: Executable;
  readonly norm: Executable;
}

/** What a state holds of the device from its beginning. */
interface Held {
  readonly mover: Copier;
  readonly graphs: StateGraphs;
  readonly tensors: Readonly<Record<Kept, readonly DeviceTensor[]>>;
  readonly gradients: DeviceGradients;
}

/** Compiles a graph over state. */
export type CompileState = (graph: StateGraph) => Promise<Executable>;

/**
 * State in tensors of a provider: of parameters and gradients one a slot, of moments one a group of slots. Passes, sums, norm and update
 * read and write them where they lie. What crosses over in a step is scalars; whole tensors do when a run begins and when they are read.
 */
export class DeviceState implements TrainingState {
  readonly #layout: FlatLayout;
  readonly #optimizer: AdamWSpec;
  readonly #mover: Copier;
  readonly #graphs: StateGraphs;
  readonly #groups: readonly StateGroup[];
  readonly #tensors: Readonly<Record<Kept, readonly DeviceTensor[]>>;
  readonly #gradients: DeviceGradients;
  #updates = 0;
  readonly parameters: TrainingState['parameters'];

  private constructor(layout: FlatLayout, optimizer: AdamWSpec, { mover, graphs, tensors, gradients }: Held) {
    this.#layout = layout;
    this.#optimizer = optimizer;
    this.#mover = mover;
    this.#graphs = graphs;
    this.#groups = stateGroups(layout);
    this.#tensors = tensors;
    this.#gradients = gradients;
    this.parameters = Object.fromEntries(layout.slots.map(({ name }, index) => [name, this.#tensors.parameter[index]!]));
  }

  /** Errors: Error, naming the provider, where it is not there or its memory cannot be reached; nothing of the state is held then. */
  static async open(layout: FlatLayout, { provider, threads, optimizer, scratch }: DeviceSettings): Promise<DeviceState> {
    const compileState: CompileState = async (graph) =>
      compile({ ...graph, provider, threads, spinning: true, folder: await mkdtemp(join(scratch, 'state-')) });
    return openWhole(async (held) => {
      const keep = <T extends { release(): unknown }>(one: T): T => {
        held(() => one.release());
        return one;
      };
      const graphs = {
        update: keep(await compileState(updateGraph(layout, optimizer))),
        norm: keep(await compileState(normGraph(layout))),
      };
      const mover = keep(await copier(provider));
      const groups = stateGroups(layout);
      const allocate = (of: readonly { readonly shape: readonly number[] }[]): DeviceTensor[] => allocateAll(mover, of).map(keep);
      const tensors = { parameter: allocate(layout.slots), first: allocate(groups), second: allocate(groups) };
      const gradients = new DeviceGradients(layout, mover, compileState);
      return new DeviceState(layout, optimizer, { mover, graphs, tensors, gradients });
    });
  }

  get gradients(): GradientSum {
    return this.#gradients;
  }

  get updates(): number {
    return this.#updates;
  }

  async begin(fill: (state: SnapshotState) => Promise<void>): Promise<void> {
    const { size, slots } = this.#layout;
    const state: SnapshotState = { layout: this.#layout, parameters: new Float32Array(size), moments: initAdamW(size) };
    await fill(state);
    this.#updates = state.moments.step;
    for (const [place, slot] of slots.entries()) await this.#mover.copy(viewOf(state.parameters, slot), this.#tensors.parameter[place]!);
    await this.#writeMoments('first', state.moments.first);
    await this.#writeMoments('second', state.moments.second);
  }

  async norm(factor: number): Promise<number> {
    const { squares } = await this.#graphs.norm.run(this.#gradients.feeds);
    return Math.sqrt(squares!.data[0]!) * factor;
  }

  async update(factor: number, rate: number): Promise<void> {
    this.#updates++;
    const state = { ...this.#feeds('parameter'), ...this.#feeds('first'), ...this.#feeds('second') };
    const feeds = { ...state, ...this.#gradients.feeds, ...updateScalars(this.#optimizer, this.#updates, factor, rate) };
    const places = Object.fromEntries(Object.entries(state).map(([name, tensor]) => [nextOf(name), tensor]));
    const { update } = this.#graphs;
    await update.run(feeds, update.outputNames, places);
  }

  async readParameters(): Promise<Float32Array> {
    const flat = new Float32Array(this.#layout.size);
    for (const [place, slot] of this.#layout.slots.entries()) await this.#mover.read(this.#tensors.parameter[place]!, viewOf(flat, slot));
    return flat;
  }

  async read(): Promise<SnapshotState> {
    const [first, second] = [await this.#readMoments('first'), await this.#readMoments('second')];
    return { layout: this.#layout, parameters: await this.readParameters(), moments: { step: this.#updates, first, second } };
  }

  async release(): Promise<void> {
    const held = [...Object.values(this.#tensors).flat(), this.#gradients, ...Object.values(this.#graphs), this.#mover];
    await releaseAll(held.map((one) => () => one.release()));
  }

  async #writeMoments(kind: Moment, flat: Float32Array): Promise<void> {
    for (const [place, { slots }] of this.#groups.entries()) {
      const whole = new Float32Array(slots.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const slot of slots) {
        whole.set(viewOf(flat, slot), at);
        at += slot.length;
      }
      await this.#mover.copy(whole, this.#tensors[kind][place]!);
    }
  }

  async #readMoments(kind: Moment): Promise<Float32Array> {
    const flat = new Float32Array(this.#layout.size);
    for (const [place, { slots }] of this.#groups.entries()) {
      const whole = await this.#mover.read(this.#tensors[kind][place]!);
      let at = 0;
      for (const slot of slots) {
        viewOf(flat, slot).set(whole.subarray(at, at + slot.length));
        at += slot.length;
      }
    }
    return flat;
  }

  #feeds(kind: Kept): Record<string, DeviceTensor> {
    return stateFeeds(kind, this.#tensors[kind]);
  }
}

/** Tensors, of moments one a group and else one a slot, by the names that graphs over state give them. */
export const stateFeeds = (kind: StateKind, tensors: readonly DeviceTensor[]): Record<string, DeviceTensor> =>
  Object.fromEntries(tensors.map((tensor, index) => [stateInput(kind, index), tensor]));
