import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Batch, dropoutMask } from '@tunefleet/models';
import { type CompiledCache, compile, type Executable, type Feed, type Tensor } from '@tunefleet/tensor';
import { gradientName, passGraph } from '../model/pass-graph.js';
import type { Trainable } from '../model/trainable.js';
import { addInto } from '../optimizers/accumulation.js';
import { viewOf } from '../parameters.js';
import type { TrainingSpec } from '../spec.js';
import type { PassSums } from './accumulate.js';

interface PassSettings extends Pick<TrainingSpec, 'threads' | 'seed' | 'cache'> {
  /** an existing folder */
  scratch: string;
}

/** The compiled forward (and backward) passes of one model over one flat array of parameters. Their files lie in `scratch`, the caller's to remove. */
export class Passes {
  readonly #model: Trainable;
  readonly #parameters: Readonly<Record<string, Float32Array>>;
  readonly #settings: { threads: number; spinning: boolean };
  readonly #cache: CompiledCache | undefined;
  readonly #seed: number;
  readonly #scratch: string;
  #sites: ReadonlyMap<string, number> = new Map();
  /** Gradients of a micro-batch that is not its group's first, laid out as the parameters. */
  #addend: Float32Array | null = null;
  #training: Executable | null = null;
  #validation: Executable | null = null;

  constructor(model: Trainable, parameters: Float32Array, { threads, seed, scratch, cache }: PassSettings) {
    this.#model = model;
    this.#parameters = Object.fromEntries(model.layout.slots.map((slot) => [slot.name, viewOf(parameters, slot)]));
    this.#settings = { threads, spinning: true };
    this.#cache = cache;
    this.#seed = seed;
    this.#scratch = scratch;
  }

  /** Forward and backward; the gradients of the summed loss are added to `into` (written, where `first`). */
  async train(batch: Batch, step: number, microBatch: number, into: Float32Array, first: boolean): Promise<PassSums> {
    this.#training ??= await this.#compile(true);
    const masks = this.#masks(this.#training, batch, step, microBatch);
    if (!first) this.#addend ??= new Float32Array(into.length);
    const target = first ? into : this.#addend!;
    const places = this.#model.layout.slots.map((slot, index) => [gradientName(index), viewOf(target, slot)] as const);
    const feeds = { ...this.#parameters, ...batch.feeds, ...masks };
    const results = await this.#training.run(feeds, this.#training.outputNames, Object.fromEntries(places));
    if (!first) addInto(into, target);
    return sumsOf(results);
  }

  /** Forward alone, without dropout. */
  async validate(batch: Batch): Promise<PassSums> {
    this.#validation ??= await this.#compile(false);
    const results = await this.#validation.run({ ...this.#parameters, ...batch.feeds });
    return sumsOf(results);
  }

  async release(): Promise<void> {
    await this.#training?.release();
    await this.#validation?.release();
  }

  async #compile(training: boolean): Promise<Executable> {
    const { outputs, dropout } = passGraph(this.#model, training);
    if (training) this.#sites = dropout;
    const folder = await mkdtemp(join(this.#scratch, 'graph-'));
    // The graph that a job begins with: that of validation is not waited for at its start.
    return compile({ ...this.#settings, folder, outputs, cache: training ? this.#cache : undefined });
  }

  /** A mask a site, from (seed, step, micro-batch, site) alone. */
  #masks(graph: Executable, batch: Batch, step: number, microBatch: number): Record<string, Feed> {
    const places = [...this.#sites.keys()];
    const masks: Record<string, Feed> = {};
    for (const { name, shape } of graph.inputs) {
      const probability = this.#sites.get(name);
      if (probability === undefined) continue;
      const sized = shape.map((dimension) => (typeof dimension === 'number' ? dimension : batch.sizes[dimension]!));
      const site = microBatch * places.length + places.indexOf(name);
      const count = sized.reduce((a, b) => a * b, 1);
      masks[name] = { data: dropoutMask(this.#seed, step, site, probability, count), shape: sized };
    }
    return masks;
  }
}

function sumsOf({ loss, correct }: Readonly<Record<string, Tensor>>): PassSums {
  return { loss: loss!.data[0]!, correct: correct!.data[0]! };
}
