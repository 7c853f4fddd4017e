import type { LlamaConfig, LoraAdapter } from '@tunefleet/model-formats';
import { compile, type Executable, type Feed, GraphBuilder, gather, linear, type Value } from '@tunefleet/tensor';
import { addLora } from '../adapters/lora.js';
import { savedConfig, savedWeights } from '../adapters/saved-modules.js';
import type { BaseWeights } from '../base-weights.js';
import { llamaLinears } from '../families/linears.js';
import { llama, llamaHead } from '../families/llama.js';
import { type RopeTable, ropeTable } from '../layers/rope.js';
import { separateLinears } from '../networks/weight-parts.js';
import type { KeyValueCache } from './cache.js';
import { cachedAttention } from './cached-attention.js';

type SavedShapes = ReadonlyMap<string, { shape: readonly number[] }>;

const savedInput = (tensor: string): string => `saved.${tensor}`;

/** A compiled graph that reads new tokens after cached ones; prompt and single tokens are the same graph at other sizes. */
export class Decoder {
  readonly #config: LlamaConfig;
  readonly #graph: Executable;
  readonly #table: RopeTable;

  private constructor(config: LlamaConfig, graph: Executable) {
    this.#config = config;
    this.#graph = graph;
    this.#table = ropeTable(config, config.maxPositions);
  }

  /**
   * `adapted`: with LoRA adapters as inputs, any ranks, any targets; `saved`: the tensors that they hold whole, with their shapes.
   */
  static async compile(
    base: BaseWeights,
    {
      threads,
      spinning = false,
      adapted,
      saved = new Map(),
    }: { threads: number; spinning?: boolean; adapted: boolean; saved?: SavedShapes },
  ): Promise<Decoder> {
    const outputs = stepGraph(base, adapted, saved);
    const layers = Array.from({ length: base.config.layers }, (_, layer) => layer);
    const inPlace = Object.fromEntries(
      layers.flatMap((layer) => ['key', 'value'].map((name) => [`${name}.${layer}`, `past_${name}.${layer}`])),
    );
    return new Decoder(base.config, await compile({ outputs, threads, spinning, inPlace }));
  }

  /** Logits after the last of `ids` [vocabulary]; the cache grows by them. */
  async step(ids: Int32Array, cache: KeyValueCache, adapter: Readonly<Record<string, Feed>> | null): Promise<Float32Array> {
    const start = cache.length;
    cache.reserve(start + ids.length);
    const width = this.#config.headSize / 2;
    const rows = (table: Float32Array): Float32Array => table.subarray(start * width, (start + ids.length) * width);
    const feeds = {
      ...adapter,
      ...cache.feeds(),
      ids,
      last: Int32Array.of(ids.length - 1),
      cos: rows(this.#table.cos),
      sin: rows(this.#table.sin),
      total: Int32Array.of(start + ids.length),
    };
    const { logits } = await this.#graph.run(feeds, this.#graph.outputNames, cache.places());
    cache.length += ids.length;
    return logits!.data as Float32Array;
  }

  release(): Promise<void> {
    return this.#graph.release();
  }
}

export function stepGraph(base: BaseWeights, adapted: boolean, saved: SavedShapes): Record<string, Value> {
  const builder = new GraphBuilder();
  const config = savedConfig(base.config, saved);
  const { heads, keyValueHeads, headSize } = config;
  const inputs = new Map([...saved].map(([name, { shape }]) => [name, builder.input(savedInput(name), 'f32', shape)]));
  const weight = savedWeights(base.config, base.in(builder), inputs);
  const outputs: Record<string, Value> = {};
  const total = builder.input('total', 'i32', []);
  // One token, under a name: the products after it stay as they are instead of being turned for the sake of other thread counts (legalize), which is slow.
  const last = builder.input('last', 'i32', ['wanted']);
  const attention = (layer: number, q: Value, k: Value, v: Value): Value => {
    const past = (name: string): Value => builder.input(`past_${name}.${layer}`, 'f32', [1, keyValueHeads, 'past', headSize]);
    const inputs = { q, k, v, pastKeys: past('key'), pastValues: past('value'), total };
    const { attended, keys, values } = cachedAttention({ heads, keyValueHeads, headSize }, inputs);
    outputs[`key.${layer}`] = keys;
    outputs[`value.${layer}`] = values;
    return attended;
  };
  const hidden = llama(
    config,
    {
      weight,
      ...separateLinears(adaptedLinear(builder, config, weight, adapted)),
      attention,
      cos: builder.input('cos', 'f32', ['tokens', headSize / 2]),
      sin: builder.input('sin', 'f32', ['tokens', headSize / 2]),
      wanted: (x) => gather(x, last),
    },
    builder.input('ids', 'i32', ['tokens']),
  );
  return { ...outputs, logits: llamaHead(config, { weight }, hidden) };
}

/** Linear modules, plain or with a LoRA adapter whose factors are inputs, B with its scaling: one graph for any ranks and targets. */
function adaptedLinear(
  builder: GraphBuilder,
  config: LlamaConfig,
  weight: (name: string) => Value,
  adapted: boolean,
): (module: string, x: Value) => Value {
  const plain = (module: string, x: Value): Value => linear(x, weight(`${module}.weight`));
  if (!adapted) return plain;
  const shapes = new Map(llamaLinears(config).map((module) => [module.name, module]));
  return (module, x) => {
    const { inputs, outputs } = shapes.get(module)!;
    const rank = `rank_${module.replaceAll('.', '_')}`;
    const a = builder.input(`${module}.a`, 'f32', [rank, inputs]);
    const b = builder.input(`${module}.b`, 'f32', [outputs, rank]);
    return addLora(plain(module, x), x, { a, b }, 1);
  };
}

/** Feeds of an adapted graph; modules that the adapter leaves alone get zeros. */
export function adapterFeeds(config: LlamaConfig, { pairs, saved }: LoraAdapter): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const { name, inputs, outputs } of llamaLinears(config)) {
    const pair = pairs.get(name);
    feeds[`${name}.a`] = pair?.a ?? new Float32Array(inputs);
    feeds[`${name}.b`] = pair?.b.map((value) => value * pair.scaling) ?? new Float32Array(outputs);
  }
  for (const [name, { values }] of saved) feeds[savedInput(name)] = values;
  return feeds;
}
