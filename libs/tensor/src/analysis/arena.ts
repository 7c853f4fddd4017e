/** Chunks are multiples of this many bytes. */
const UNIT = 256;
/** The first region; each further one is at least twice the one before (arena_extend_strategy kNextPowerOfTwo). */
const FIRST_REGION = 2 ** 20;
/** Regions double up to this one, unless more is asked for at once (max_power_of_two_extend_bytes). */
const LARGEST_REGION = 2 ** 30;
/** A larger rest of a chunk becomes a chunk of its own, however large what was asked for (max_dead_bytes_per_chunk). */
const DEAD_BYTES = 128 * 2 ** 20;

interface Chunk {
  readonly region: number;
  start: number;
  end: number;
}

/** A block that was handed out. */
export type Block = Chunk;

/**
 * ONNX Runtime's CPU arena (bfc_arena.cc): best fit over chunks of regions that double, neighbours of one region joined when freed. Memory
 * of a region that was never handed out is not resident: what counts is how far each was used.
 */
export class Arena {
  #free: Chunk[] = [];
  #nextRegion = FIRST_REGION;
  /** farthest byte handed out, by region */
  readonly #used: number[] = [];

  /** Resident bytes so far. */
  get size(): number {
    return this.#used.reduce((a, b) => a + b, 0);
  }

  take(bytes: number): Block {
    const size = Math.max(UNIT, Math.ceil(bytes / UNIT) * UNIT);
    const found = this.#bestFit(size) ?? this.#extend(size);
    this.#free.splice(this.#free.indexOf(found), 1);
    const room = found.end - found.start;
    const splits = room >= 2 * size || room - size >= DEAD_BYTES;
    const block: Block = { region: found.region, start: found.start, end: splits ? found.start + size : found.end };
    if (splits && block.end < found.end) this.#free.push({ region: found.region, start: block.end, end: found.end });
    this.#used[block.region] = Math.max(this.#used[block.region]!, block.start + size);
    return block;
  }

  give(block: Block): void {
    const chunk = { ...block };
    this.#free = this.#free.filter((other) => {
      if (other.region !== chunk.region || (other.end !== chunk.start && other.start !== chunk.end)) return true;
      chunk.start = Math.min(chunk.start, other.start);
      chunk.end = Math.max(chunk.end, other.end);
      return false;
    });
    this.#free.push(chunk);
  }

  #bestFit(size: number): Chunk | undefined {
    let best: Chunk | undefined;
    for (const chunk of this.#free) {
      const room = chunk.end - chunk.start;
      if (room >= size && (!best || room < best.end - best.start)) best = chunk;
    }
    return best;
  }

  #extend(size: number): Chunk {
    const enough = this.#nextRegion >= size;
    while (this.#nextRegion < size) this.#nextRegion *= 2;
    const chunk = { region: this.#used.length, start: 0, end: this.#nextRegion };
    if (enough) this.#nextRegion = Math.min(2 * this.#nextRegion, Math.max(LARGEST_REGION, this.#nextRegion));
    this.#used.push(0);
    this.#free.push(chunk);
    return chunk;
  }
}
