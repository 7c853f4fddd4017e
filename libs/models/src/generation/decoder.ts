import type { LlamaConfig, LoraAdapter } from '@tunefleet/model-formats';
import {
  cachedAttention,
  compile,
  type Executable,
  GraphBuilder,
  gather,
  linear,
  type RowEngine,
  type RowExecutable,
  type Tensor,
  type Value,
} from '@tunefleet/tensor';
import { addLora } from '../adapters/lora.js';
import { savedConfig, savedWeights } from '../adapters/saved-modules.js';
import type { BaseWeights } from '../base-weights.js';
import { llamaLinears } from '../families/linears.js';
import { llama, llamaHead } from '../families/llama.js';
import { type RopeTable, ropeTable } from '../layers/rope.js';
import { separateLinears } from '../networks/weight-parts.js';
import type { KeyValueCache } from './cache.js';

type SavedShapes = ReadonlyMap<string, { shape: readonly number[] }>;

const savedInput = (tensor: string): string => `saved.${tensor}`;

/** An adapter's tensors, by the inputs of an adapted graph. */
export type AdapterFeeds = Readonly<Record<string, Tensor<Float32Array>>>;

interface DecoderOptions {
  threads: number;
  spinning?: boolean;
  /** with LoRA adapters as inputs, any ranks, any targets */
  adapted: boolean;
  /** the tensors that they hold whole, with their shapes */
  saved?: SavedShapes;
  /** Where single tokens are read, after caches that lie in its memory; absent: as the prompt is. */
  engine?: RowEngine | undefined;
}

/**
 * Reads new tokens after cached ones: the tokens of a prompt together by ONNX Runtime, single tokens by a row engine; one graph, at other
 * sizes.
 */
export class Decoder {
  readonly #config: LlamaConfig;
  readonly #graph: Executable;
  readonly #outputs: Readonly<Record<string, Value>>;
  readonly #table: RopeTable;
  readonly #engine: RowEngine | undefined;
  /** by the adapter; under `#config`: none. null: it does not fit into the engine. */
  readonly #rows = new Map<object, Promise<RowExecutable | null>>();

  private constructor(config: LlamaConfig, graph: Executable, outputs: Readonly<Record<string, Value>>, engine: RowEngine | undefined) {
    this.#config = config;
    this.#graph = graph;
    this.#outputs = outputs;
    this.#table = ropeTable(config, config.maxPositions);
    this.#engine = engine;
  }

  static async compile(
    base: BaseWeights,
    { threads, spinning = false, adapted, saved = new Map(), engine }: DecoderOptions,
  ): Promise<Decoder> {
    const outputs = stepGraph(base, adapted, saved);
    const layers = Array.from({ length: base.config.layers }, (_, layer) => layer);
    const inPlace = Object.fromEntries(
      layers.flatMap((layer) => ['key', 'value'].map((name) => [`${name}.${layer}`, `past_${name}.${layer}`])),
    );
    return new Decoder(base.config, await compile({ outputs, threads, spinning, inPlace, prepacking: !engine }), outputs, engine);
  }

  /** Logits after the last of `ids` [vocabulary]; the cache grows by them. */
  async step(ids: Int32Array, cache: KeyValueCache, adapter: AdapterFeeds | null): Promise<Float32Array> {
    const start = cache.length;
    await cache.reserve(start + ids.length);
    const width = this.#config.headSize / 2;
    const rows = (table: Float32Array): Tensor => ({
      data: table.subarray(start * width, (start + ids.length) * width),
      shape: [ids.length, width],
    });
    const feeds = {
      ...cache.tensors('past_'),
      ids: { data: ids, shape: [ids.length] },
      last: { data: Int32Array.of(ids.length - 1), shape: [1] },
      cos: rows(this.#table.cos),
      sin: rows(this.#table.sin),
      total: { data: Int32Array.of(start + ids.length), shape: [] },
    };
    const alone = ids.length === 1 && this.#engine?.holds(cache.data) ? await this.#rowsUnder(adapter) : null;
    const { logits } = alone
      ? await alone.run(feeds)
      : await this.#graph.run({ ...adapter, ...feeds }, this.#graph.outputNames, placesOf(cache));
    cache.length += ids.length;
    return logits!.data as Float32Array;
  }

  /** Frees what is held for an adapter; call when no text is made under it. */
  async forget(adapter: AdapterFeeds): Promise<void> {
    const rows = await this.#rows.get(adapter);
    this.#rows.delete(adapter);
    rows?.release();
  }

  release(): Promise<void> {
    return this.#graph.release();
  }

  #rowsUnder(adapter: AdapterFeeds | null): Promise<RowExecutable | null> {
    const key = adapter ?? this.#config;
    const known = this.#rows.get(key);
    if (known) return known;
    const made = this.#engine!.compile({ outputs: this.#outputs, sizes: ONE_TOKEN, constants: adapter ?? {} }).catch((error: unknown) => {
      if (error instanceof RangeError) return null; // no room
      throw error;
    });
    this.#rows.set(key, made);
    return made;
  }
}

/** Sizes of a graph that reads a single token. */
const ONE_TOKEN = { tokens: 1, wanted: 1 };

/** Where a run puts the caches with its new rows: the same memory. */
const placesOf = (cache: KeyValueCache): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(cache.tensors('')).map(([name, { data }]) => [name, data]));

export function stepGraph(base: BaseWeights, adapted: boolean, saved: SavedShapes): Record<string, Value> {
  const builder = new GraphBuilder();
  const config = savedConfig(base.config, saved);
  const { heads, keyValueHeads, headSize } = config;
  const inputs = new Map([...saved].map(([name, { shape }]) => [name, builder.input(savedInput(name), 'f32', shape)]));
  const weight = savedWeights(base.config, base.in(builder), inputs);
  const outputs: Record<string, Value> = {};
  const total = builder.input('total', 'i32', []);
  // One token, under a name: the products after it stay as they are instead of being turned for the sake of other thread counts (legalize),
  // which is slow.
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
export function adapterFeeds(config: LlamaConfig, { pairs, saved }: LoraAdapter): AdapterFeeds {
  const feeds: Record<string, Tensor<Float32Array>> = {};
  for (const { name, inputs, outputs } of llamaLinears(config)) {
    const pair = pairs.get(name);
    const rank = pair ? pair.a.length / inputs : 1;
    feeds[`${name}.a`] = { data: pair?.a ?? new Float32Array(inputs), shape: [rank, inputs] };
    feeds[`${name}.b`] = { data: pair?.b.map((value) => value * pair.scaling) ?? new Float32Array(outputs), shape: [outputs, rank] };
  }
  for (const [name, { values, shape }] of saved) feeds[savedInput(name)] = { data: values, shape };
  return feeds;
}
