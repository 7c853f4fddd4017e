import { type LlamaConfig, llamaTensorShapes, readLoraFolder, type SavedTensor } from '@tunefleet/model-formats';
import { RowEngine } from '@tunefleet/tensor';
import { languageAdapterFault } from '../adapters/fits-base.js';
import { savedConfig } from '../adapters/saved-modules.js';
import { type BasePrecision, openBaseWeights } from '../base-weights.js';
import { KeyValueCache, memoryOf } from './cache.js';
import { type AdapterFeeds, adapterFeeds, Decoder } from './decoder.js';
import { logprobs, type SamplingSettings, sample, type TokenLogprobs } from './sampling.js';

export interface GenerateRequest extends SamplingSettings {
  /** the prompt; at least one id */
  ids: ArrayLike<number>;
  max_tokens: number;
  /** generation ends before the first of these */
  stop_ids: readonly number[];
  /** ends the generation before its next token */
  signal?: AbortSignal;
  /** PEFT folder of the adapter to use; null or absent: the base */
  adapter?: string | null;
  /** called with each id before it is yielded */
  onLogprobs?: (token: TokenLogprobs) => void;
  /** likeliest ids to give with each; default 0 */
  top_logprobs?: number;
}

/** Ids as they are made. */
export interface Generation extends AsyncIterable<number> {
  /** null while it goes on, and after an abort. stop: a stop id came; length: max_tokens, or the model's longest text */
  readonly finish_reason: 'stop' | 'length' | null;
}

/** A base model ready to generate, alone or under adapters; requests may overlap. */
export interface Generator {
  readonly config: LlamaConfig;
  /**
   * Errors while iterating: RangeError (prompt empty, too long, or with an unknown id); those of model-formats for the adapter; the
   * signal's reason.
   */
  generate(request: GenerateRequest): Generation;
  /** Reads an adapter ahead of its first request. */
  loadAdapter(folder: string): Promise<void>;
  /** Forgets an adapter; requests that use it go on. */
  unloadAdapter(folder: string): void;
  /** Call when no request is under way. */
  close(): Promise<void>;
}

interface LoadedAdapter {
  /** texts that are made under it */
  users: number;
  unloaded: boolean;
  feeds: AdapterFeeds;
  saved: ReadonlyMap<string, SavedTensor>;
  /** the base's, as the adapter changes it */
  config: LlamaConfig;
}

export interface GeneratorOptions {
  /** Hugging Face folder */
  base: string;
  /** default: float32. An adapter answers as it was trained over the base of the same precision. */
  precision?: BasePrecision;
  /** default: 1 */
  threads?: number;
  /**
   * Whether threads wait for work by spinning: faster with several on cores that nothing else uses, several times slower where something
   * does. Default: false.
   */
  spinning?: boolean;
}

/**
 * Parameters of a model for each thread that reads a token: of fewer, the threads wait for each other longer than they read. No result
 * depends on it.
 */
const PARAMETERS_A_THREAD = 4e6;

function threadsFor(config: LlamaConfig, threads: number): number {
  const parameters = [...llamaTensorShapes(config).values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return Math.min(threads, Math.max(1, Math.floor(parameters / PARAMETERS_A_THREAD)));
}

/** One set of base weights serves every adapter: they are inputs of one graph. */
export async function openGenerator({
  base: folder,
  precision = 'float32',
  threads = 1,
  spinning = false,
}: GeneratorOptions): Promise<Generator> {
  const base = await openBaseWeights(folder, { precision });
  const { config } = base;
  const adapters = new Map<string, Promise<LoadedAdapter>>();
  // Products of single rows over 4-bit blocks are left to ONNX Runtime.
  const engine = precision === 'float32' ? new RowEngine({ threads: threadsFor(config, threads) }) : undefined;
  // The plain graph, and one for each set of tensors that adapters hold whole (mostly none).
  const decoders = new Map<string, Promise<Decoder>>();

  const once = <K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> => {
    const known = map.get(key);
    if (known) return known;
    const made = make();
    map.set(key, made);
    made.catch(() => map.delete(key));
    return made;
  };
  const adapterOf = (path: string): Promise<LoadedAdapter> => once(adapters, path, () => readAdapter(config, path));
  const decoderOf = (adapter: LoadedAdapter | null): Promise<Decoder> => {
    const saved = adapter?.saved ?? new Map<string, SavedTensor>();
    return once(decoders, decoderKey(adapter), () =>
      Decoder.compile(base, { threads, spinning, adapted: adapter !== null, saved, engine }),
    );
  };

  /** Frees what an unloaded adapter holds once nobody uses it. */
  const forget = async (adapter: LoadedAdapter): Promise<void> => {
    if (adapter.unloaded && adapter.users === 0) await (await decoders.get(decoderKey(adapter)))?.forget(adapter.feeds);
  };

  return {
    config,
    generate(request) {
      const state: { finish_reason: Generation['finish_reason'] } = { finish_reason: null };
      const tokens = async function* (): AsyncGenerator<number> {
        const adapter = request.adapter == null ? null : await adapterOf(request.adapter);
        checkPrompt(adapter?.config ?? config, request.ids);
        const decoder = await decoderOf(adapter);
        const cache = new KeyValueCache(config, engine && memoryOf(engine));
        if (adapter) adapter.users++;
        try {
          const last = Math.min(request.max_tokens, config.maxPositions - request.ids.length);
          let next = Int32Array.from(request.ids);
          for (let made = 0; made < last; made++) {
            await new Promise((resolve) => setImmediate(resolve));
            request.signal?.throwIfAborted();
            const logits = await decoder.step(next, cache, adapter?.feeds ?? null);
            const id = sample(logits, request, cache.length);
            if (request.stop_ids.includes(id)) {
              state.finish_reason = 'stop';
              return;
            }
            request.onLogprobs?.(logprobs(logits, id, request.top_logprobs ?? 0));
            yield id;
            next = Int32Array.of(id);
          }
          state.finish_reason = 'length';
        } finally {
          cache.release();
          if (adapter) {
            adapter.users--;
            await forget(adapter);
          }
        }
      };
      return {
        get finish_reason() {
          return state.finish_reason;
        },
        [Symbol.asyncIterator]: tokens,
      };
    },
    async loadAdapter(path) {
      await adapterOf(path);
    },
    unloadAdapter(path) {
      const unloaded = adapters.get(path);
      adapters.delete(path);
      unloaded?.then(
        (adapter) => {
          adapter.unloaded = true;
          return forget(adapter);
        },
        () => undefined, // it was never there
      );
    },
    async close() {
      await engine?.release();
      for (const decoder of decoders.values()) await (await decoder).release();
      await base.release();
    },
  };
}

/** Adapters that hold tensors of the same names and shapes whole share a graph. */
const decoderKey = (adapter: LoadedAdapter | null): string =>
  adapter === null ? 'plain' : JSON.stringify([...adapter.saved].map(([name, { shape }]) => [name, shape]));

async function readAdapter(config: LlamaConfig, folder: string): Promise<LoadedAdapter> {
  const adapter = await readLoraFolder(folder);
  const fault = languageAdapterFault(config, adapter);
  if (fault !== null) throw new RangeError(`the adapter does not fit the base: ${fault}`);
  const feeds = adapterFeeds(config, adapter);
  return { users: 0, unloaded: false, feeds, saved: adapter.saved, config: savedConfig(config, adapter.saved) };
}

function checkPrompt({ vocabularySize, maxPositions }: LlamaConfig, ids: ArrayLike<number>): void {
  if (ids.length === 0) throw new RangeError('the prompt is empty');
  if (ids.length >= maxPositions) throw new RangeError(`the prompt has ${ids.length} tokens, the model reads up to ${maxPositions}`);
  for (const id of Array.from(ids)) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
      throw new RangeError(`token ${id} is not in the vocabulary of ${vocabularySize}`);
  }
}
