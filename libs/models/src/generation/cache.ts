import type { LlamaConfig } from '@tunefleet/model-formats';
import type { Feed } from '@tunefleet/tensor';

/** Capacity grows by doubling from here, so that a text of n tokens is copied O(n) times in all. */
const FIRST_CAPACITY = 64;

/** Keys and values of the tokens read so far, [1, keyValueHeads, capacity, headSize] a layer, fed in place. */
export class KeyValueCache {
  /** tokens held */
  length = 0;
  capacity = 0;
  readonly #config: LlamaConfig;
  #keys: Float32Array[];
  #values: Float32Array[];

  constructor(config: LlamaConfig) {
    this.#config = config;
    this.#keys = Array.from({ length: config.layers }, () => new Float32Array(0));
    this.#values = Array.from({ length: config.layers }, () => new Float32Array(0));
  }

  /** Makes room for `length` tokens in all. */
  reserve(length: number): void {
    if (length <= this.capacity) return;
    let capacity = Math.max(FIRST_CAPACITY, this.capacity);
    while (capacity < length) capacity *= 2;
    const moved = (old: Float32Array): Float32Array => this.#moved(old, capacity);
    this.#keys = this.#keys.map(moved);
    this.#values = this.#values.map(moved);
    this.capacity = capacity;
  }

  feeds(): Record<string, Feed> {
    const { keyValueHeads, headSize } = this.#config;
    const shape = [1, keyValueHeads, this.capacity, headSize];
    return Object.fromEntries([
      ...this.#keys.map((data, layer) => [`past_key.${layer}`, { data, shape }] as const),
      ...this.#values.map((data, layer) => [`past_value.${layer}`, { data, shape }] as const),
    ]);
  }

  /** Where a run puts the caches with its new rows: the same memory. */
  places(): Record<string, Float32Array> {
    return Object.fromEntries([
      ...this.#keys.map((data, layer) => [`key.${layer}`, data] as const),
      ...this.#values.map((data, layer) => [`value.${layer}`, data] as const),
    ]);
  }

  #moved(old: Float32Array, capacity: number): Float32Array {
    const { keyValueHeads, headSize } = this.#config;
    const grown = new Float32Array(keyValueHeads * capacity * headSize);
    for (let head = 0; head < keyValueHeads; head++) {
      const from = head * this.capacity * headSize;
      grown.set(old.subarray(from, from + this.length * headSize), head * capacity * headSize);
    }
    return grown;
  }
}
