import { PAGE_BYTES, type SharedMemory, sharedMemory } from '../webassembly/assembler.js';
import { BARRIER_BYTES } from './barrier.js';
import { aligned } from './steps.js';

/** Makes memory reach `end` bytes; throws RangeError beyond its limit. */
export const reach = (memory: SharedMemory, end: number): void => {
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
};

/** Smallest piece that is lent. */
const LEAST_BYTES = PAGE_BYTES;

/**
 * One memory that threads share, at most 4 GiB: what stays (weights) is laid down one after the other, the rest is lent in powers of two,
 * which are used again.
 */
export class RowMemory {
  readonly shared: SharedMemory = sharedMemory();
  #end = aligned(BARRIER_BYTES);
  readonly #free = new Map<number, number[]>();

  /** Where what stays may be laid down next; who does so tells `laidDown`, before anything else is lent. */
  get end(): number {
    return this.#end;
  }

  laidDown(end: number): void {
    this.#end = aligned(end);
  }

  /** Place of at least so many bytes, a power of two; null where the memory has no more. */
  lend(bytes: number): number | null {
    const size = sizeOf(bytes);
    const free = this.#free.get(size)?.pop();
    if (free !== undefined) return free;
    try {
      reach(this.shared, this.#end + size);
    } catch {
      return null;
    }
    const at = this.#end;
    this.#end += size;
    return at;
  }

  takeBack(at: number, bytes: number): void {
    const size = sizeOf(bytes);
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    free.push(at);
  }
}

const sizeOf = (bytes: number): number => 2 ** Math.ceil(Math.log2(Math.max(LEAST_BYTES, bytes)));
