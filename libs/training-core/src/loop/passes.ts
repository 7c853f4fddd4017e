import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Batch, dropoutMask } from '@tunefleet/models';
import {
  type CompiledCache,
  codeIdentity,
  compileKept,
  type Executable,
  type Feed,
  type Inspection,
  type Precision,
  type Provider,
  releaseAll,
  type Tensor,
} from '@tunefleet/tensor';
import { LOSS_SCALE, passGraph, type Recomputed } from '../model/pass-graph.js';
import type { Trainable } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';
import type { GradientSum, TrainingState } from '../state/training-state.js';
import type { PassSums } from './accumulate.js';
import { distinctRows, type RowsRead, rowFeeds } from './touched-rows.js';

export interface PassSettings extends Pick<TrainingSpec, 'threads' | 'seed' | 'memory' | 'cache' | 'precision'> {
  provider: Provider;
  /** an existing folder */
  scratch: string;
  /** of each training graph */
  inspection?: Inspection | undefined;
}

/** Tokens of an example beyond which attention's probabilities, which grow with their square, are computed again instead of kept. */
const KEPT_SPAN = 1024;

export const recomputedOf = ({ sizes }: Pick<Batch, 'sizes'>, lean: boolean): Recomputed =>
  lean ? 'layers' : (sizes['span'] ?? 0) > KEPT_SPAN ? 'attention' : 'nothing';

interface TrainingPass {
  step: number;
  microBatch: number;
  scale: number;
  /** of its group */
  first: boolean;
}

/**
 * The compiled forward (and backward) passes of one model over its parameters, wherever they are. Their files lie in `scratch`, the
 * caller's to remove.
 */
export class Passes {
  readonly #model: Trainable;
  readonly #parameters: TrainingState['parameters'];
  readonly #settings: { threads: number; spinning: boolean; prepacking: boolean; provider: Provider; precision: Precision };
  readonly #lean: boolean;
  readonly #cache: CompiledCache | undefined;
  readonly #seed: number;
  readonly #scratch: string;
  readonly #inspection: Inspection | undefined;
  #sites: ReadonlyMap<string, number> = new Map();
  readonly #training = new Map<Recomputed, Promise<Executable>>();
  #validation: Executable | null = null;

  constructor(
    model: Trainable,
    parameters: TrainingState['parameters'],
    { threads, seed, scratch, memory, cache, inspection, provider, precision = 'float32' }: PassSettings,
  ) {
    this.#model = model;
    this.#parameters = parameters;
    this.#lean = memory === 'lean';
    this.#cache = cache;
    this.#settings = { threads, spinning: true, prepacking: !this.#lean, provider, precision };
    this.#seed = seed;
    this.#scratch = scratch;
    this.#inspection = inspection;
  }

  /**
   * Begins to make what `train` needs for such a batch, which says what went wrong. Done when the rest is made on a thread of ONNX
   * Runtime's: what this one does meanwhile costs no time.
   */
  prepare(batch: Batch): Promise<void> {
    return new Promise((resolve) => {
      // The call itself is made after what waits on promises, before the next turn.
      const graph = this.#trainingGraph(recomputedOf(batch, this.#lean), () => setImmediate(resolve));
      graph.then(
        () => resolve(),
        () => resolve(),
      );
    });
  }

  /**
   * Forward and backward; the gradients of the summed loss times `scale` are added to `sum` (begin it, where `first`). In float32 the scale
   * is 1.
   */
  async train(batch: Batch, { step, microBatch, scale, first }: TrainingPass, sum: GradientSum): Promise<PassSums> {
    const graph = await this.#trainingGraph(recomputedOf(batch, this.#lean));
    const masks = this.#masks(graph, batch, step, microBatch);
    const read = this.#rowsRead(batch);
    const scaled = this.#settings.precision === 'float16' ? { [LOSS_SCALE]: Float32Array.of(scale) } : {};
    const feeds = { ...this.#parameters, ...feedsWith(batch, read), ...masks, ...scaled };
    const results = await graph.run(feeds, graph.outputNames, sum.places(first));
    await sum.add(first, results, read);
    return sumsOf(results);
  }

  /** What a training graph is fed of a batch, masks of dropout aside. */
  feedsOf(batch: Batch): Record<string, Feed> {
    return feedsWith(batch, this.#rowsRead(batch));
  }

  /** Forward alone, without dropout. */
  async validate(batch: Batch): Promise<PassSums> {
    this.#validation ??= await this.#compile(false);
    const results = await this.#validation.run({ ...this.#parameters, ...batch.feeds });
    return sumsOf(results);
  }

  async release(): Promise<void> {
    // One that could not be made holds nothing.
    const training = [...this.#training.values()].map((graph) => async () => (await graph.catch(() => null))?.release());
    await releaseAll([...training, () => this.#validation?.release()]);
  }

  #rowsRead(batch: Batch): RowsRead {
    return new Map([...(this.#model.tables ?? [])].map(([name, ids]) => [name, distinctRows(batch.feeds[ids] as Int32Array)]));
  }

  #trainingGraph(recomputed: Recomputed, sessionBegins?: () => void): Promise<Executable> {
    const graph = this.#training.get(recomputed) ?? this.#compile(true, recomputed, sessionBegins);
    this.#training.set(recomputed, graph);
    return graph;
  }

  async #compile(training: boolean, recomputed?: Recomputed, sessionBegins?: () => void): Promise<Executable> {
    const folder = await mkdtemp(join(this.#scratch, 'graph-'));
    const pass = { training, recomputed, scaled: training && this.#settings.precision === 'float16' };
    const { recipe } = this.#model;
    const source = {
      recipe: JSON.stringify([recipe, pass, codeIdentity(import.meta.url)]),
      build: () => {
        const { outputs, dropout } = passGraph(this.#model, pass.training, pass.recomputed, pass.scaled);
        return { outputs, notes: [...dropout] };
      },
    };
    const settings = { ...this.#settings, folder, inspection: training ? this.#inspection : undefined };
    // The graph that a job begins with is kept: that of validation is not waited for at its start.
    const cache = training && recipe !== null ? this.#cache : undefined;
    const { executable, notes } = await compileKept(source, settings, cache, sessionBegins);
    if (training) this.#sites = new Map(notes);
    return executable;
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

const feedsWith = (batch: Batch, read: RowsRead): Record<string, Feed> =>
  Object.assign({ ...batch.feeds }, ...[...read].map(([name, distinct]) => rowFeeds(name, distinct)));

function sumsOf({ loss, correct }: Readonly<Record<string, Tensor>>): PassSums {
  return { loss: loss!.data[0]!, correct: correct!.data[0]! };
}
