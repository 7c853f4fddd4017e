import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { llama, llamaHead, type PackedExamples, packedFeeds, packedInputs, randomStream } from '@tunefleet/models';
import {
  compile,
  type Executable,
  type Feed,
  GraphBuilder,
  gradients,
  releaseTensors,
  type Tensor,
  type TensorData,
} from '@tunefleet/tensor';
import type { Trainable } from '../model/trainable.js';
import { causalLm } from '../objectives/causal-lm.js';
import { addInto } from '../optimizers/accumulation.js';
import { viewOf } from '../parameters.js';
import type { PassSums } from './accumulate.js';

/** The compiled forward (and backward) passes of one model over one flat array of parameters. Their files lie in `scratch`, the caller's to remove. */
export class Passes {
  readonly #model: Trainable;
  readonly #parameters: Readonly<Record<string, Float32Array>>;
  readonly #feeds: (packed: PackedExamples) => Record<string, Feed>;
  readonly #settings: { threads: number; spinning: boolean };
  readonly #seed: number;
  readonly #scratch: string;
  #training: Executable | null = null;
  #validation: Executable | null = null;

  constructor(model: Trainable, parameters: Float32Array, { threads, seed, scratch }: { threads: number; seed: number; scratch: string }) {
    this.#model = model;
    this.#parameters = Object.fromEntries(model.layout.slots.map((slot) => [slot.name, viewOf(parameters, slot)]));
    this.#feeds = packedFeeds(model.config);
    this.#settings = { threads, spinning: true };
    this.#seed = seed;
    this.#scratch = scratch;
  }

  /** Forward and backward; the gradients of the summed loss are added to `into` (written, where `first`). */
  async train(packed: PackedExamples, step: number, microBatch: number, into: Float32Array, first: boolean): Promise<PassSums> {
    this.#training ??= await this.#compile(true);
    const masks = this.#masks(this.#training, packed, step, microBatch);
    const results = await this.#training.run({ ...this.#parameters, ...this.#feeds(packed), ...masks });
    this.#model.layout.slots.forEach((slot, index) => {
      const gradient = floats(results[gradientName(index)]!.data);
      const target = viewOf(into, slot);
      if (first) target.set(gradient);
      else addInto(target, gradient);
    });
    return sumsOf(results);
  }

  /** Forward alone, without dropout. */
  async validate(packed: PackedExamples): Promise<PassSums> {
    this.#validation ??= await this.#compile(false);
    const results = await this.#validation.run({ ...this.#parameters, ...this.#feeds(packed) });
    return sumsOf(results);
  }

  async release(): Promise<void> {
    await this.#training?.release();
    await this.#validation?.release();
  }

  async #compile(training: boolean): Promise<Executable> {
    const builder = new GraphBuilder();
    const { config } = this.#model;
    const inputs = packedInputs(builder, config);
    const { parameters, weight, linear } = this.#model.build(builder, training);
    const { ids, cos, sin } = inputs;
    const attention = (_layer: number, ...heads: Parameters<typeof inputs.attention>) => inputs.attention(...heads);
    const hidden = llama(config, { weight, linear, attention, cos, sin, wanted: inputs.trained }, ids);
    const { loss, correct } = causalLm(llamaHead(config, { weight }, hidden), inputs.targets, inputs.weights);
    const backward = training ? gradients(loss, parameters).map((value, index) => [gradientName(index), value] as const) : [];
    const folder = await mkdtemp(join(this.#scratch, 'graph-'));
    return compile({ ...this.#settings, folder, outputs: { loss, correct, ...Object.fromEntries(backward) } });
  }

  /** Inverted dropout: a mask a site, from (seed, step, micro-batch, site) alone. */
  #masks(graph: Executable, packed: PackedExamples, step: number, microBatch: number): Record<string, Feed> {
    const { probability, sites } = this.#model.dropout;
    const kept = 1 / (1 - probability);
    const masks: Record<string, Feed> = {};
    for (const { name, shape } of graph.inputs) {
      const site = sites.indexOf(name);
      if (site < 0) continue;
      const rows = shape[0] === 'trained' ? packed.targets.length : packed.ids.length;
      const random = randomStream(this.#seed, 'dropout', step, microBatch * sites.length + site);
      masks[name] = Float32Array.from({ length: rows * Number(shape[1]) }, () => (random.uniform() < probability ? 0 : kept));
    }
    return masks;
  }
}

/** Reads the sums, then frees every result: the collector would see their buffers too late. */
function sumsOf(results: Readonly<Record<string, Tensor>>): PassSums {
  const sums = { loss: results['loss']!.data[0]!, correct: results['correct']!.data[0]! };
  releaseTensors(Object.values(results));
  return sums;
}

const gradientName = (index: number): string => `gradient.${index}`;

function floats(data: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new TypeError('a gradient is float32');
}
