import type { LlamaConfig } from '@tunefleet/model-formats';
import type { RowEngine } from '@tunefleet/tensor';

/** Capacity grows by doubling from here, so that a text of n tokens is copied O(n) times in all. */
const FIRST_CAPACITY = 64;

/** Where caches lie. */
export interface CacheMemory {
  /** so many elements, with any numbers in them */
  lend(count: number): Promise<Float32Array>;
  takeBack(lent: Float32Array): void;
}

const ORDINARY: CacheMemory = { lend: (count) => Promise.resolve(new Float32Array(count)), takeBack: () => undefined };

/** The engine's memory as long as it has room, else ordinary one. */
export const memoryOf = (engine: RowEngine): CacheMemory => ({
  lend: async (count) => (await engine.lend(count)) ?? new Float32Array(count),
  takeBack: (lent) => (engine.holds(lent) ? engine.takeBack(lent) : undefined),
});

/** Keys and values of the tokens read so far, [1, keyValueHeads, capacity, headSize] a layer, fed in place. */
export class KeyValueCache {
  /** tokens held */
  length = 0;
  capacity = 0;
  /** [layers, keys and values, keyValueHeads, capacity, headSize] */
  #data: Float32Array = new Float32Array(0);
  readonly #config: LlamaConfig;
  readonly #memory: CacheMemory;

  constructor(config: LlamaConfig, memory = ORDINARY) {
    this.#config = config;
    this.#memory = memory;
  }

  /** All of it. */
  get data(): Float32Array {
    return this.#data;
  }

  /** Makes room for `length` tokens in all. */
  async reserve(length: number): Promise<void> {
    if (length <= this.capacity) return;
    let capacity = Math.max(FIRST_CAPACITY, this.capacity);
    while (capacity < length) capacity *= 2;
    const { layers, keyValueHeads, headSize } = this.#config;
    const [heads, old] = [2 * layers * keyValueHeads, this.#data];
    const data = await this.#memory.lend(heads * capacity * headSize);
    for (let head = 0; head < heads; head++) {
      const from = head * this.capacity * headSize;
      data.set(old.subarray(from, from + this.length * headSize), head * capacity * headSize);
    }
    this.release();
    this.#data = data;
    this.capacity = capacity;
  }

  /** Its parts by name: `PREFIXkey.LAYER`, `PREFIXvalue.LAYER`. */
  tensors(prefix: string): Record<string, { data: Float32Array; shape: number[] }> {
    const { layers, keyValueHeads, headSize } = this.#config;
    const shape = [1, keyValueHeads, this.capacity, headSize];
    const count = keyValueHeads * this.capacity * headSize;
    const part = (index: number) => ({ data: this.#data.subarray(index * count, (index + 1) * count), shape });
    return Object.fromEntries(
      Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) => [
        [`${prefix}key.${layer}`, part(2 * layer)],
        [`${prefix}value.${layer}`, part(2 * layer + 1)],
      ]),
    );
  }

  /** Gives its memory back; what it held is gone. */
  release(): void {
    if (this.#data.length > 0) this.#memory.takeBack(this.#data);
    this.#data = new Float32Array(0);
    this.capacity = 0;
  }
}
