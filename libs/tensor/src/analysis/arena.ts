/** ONNX Runtime's CPU arena hands out multiples of this many bytes. */
const UNIT = 256;

interface Hole {
  start: number;
  end: number;
}

/**
 * How far an arena grows over a series of allocations: best fit, neighbours joined when freed, as ONNX Runtime's (and TensorFlow's) BFC arena. Memory that
 * was never handed out is not resident, so the farthest end counts.
 */
export class Arena {
  #holes: Hole[] = [];
  #end = 0;
  #largest = 0;

  /** Largest end so far, in bytes. */
  get size(): number {
    return this.#largest;
  }

  /** Address of a new block. */
  take(bytes: number): number {
    const size = Math.max(UNIT, Math.ceil(bytes / UNIT) * UNIT);
    let best: Hole | undefined;
    for (const hole of this.#holes) {
      const room = hole.end - hole.start;
      if (room >= size && (!best || room < best.end - best.start)) best = hole;
    }
    if (best) {
      const { start } = best;
      best.start += size;
      if (best.start === best.end) this.#holes.splice(this.#holes.indexOf(best), 1);
      return start;
    }
    const start = this.#end;
    this.#end += size;
    this.#largest = Math.max(this.#largest, this.#end);
    return start;
  }

  /** Frees a block of `bytes` at `start`. */
  give(start: number, bytes: number): void {
    const hole = { start, end: start + Math.max(UNIT, Math.ceil(bytes / UNIT) * UNIT) };
    for (const other of [...this.#holes]) {
      if (other.end !== hole.start && other.start !== hole.end) continue;
      hole.start = Math.min(hole.start, other.start);
      hole.end = Math.max(hole.end, other.end);
      this.#holes.splice(this.#holes.indexOf(other), 1);
    }
    if (hole.end === this.#end) this.#end = hole.start;
    else this.#holes.push(hole);
  }
}
