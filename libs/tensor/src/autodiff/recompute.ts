import type { Value } from '../graph/value.js';
import { after } from '../ops/after.js';
import { inputOp } from '../ops/leaves.js';
import { isMadeBy } from '../ops/primitive.js';

/**
 * The parts of a model that a scope lies in and that are computed again in the backward pass, outermost first; parts may lie within parts.
 */
export type RecomputedParts = (scope: string) => readonly string[];

/** Weights, constants and indices need no tie: nothing large is computed from them alone. */
const isStill = (value: Value): boolean =>
  value.inputs.length === 0 && (value.dtype !== 'f32' || !isMadeBy(value, inputOp) || value.attributes.trainable);

/**
 * Second copies of forward values for the backward pass (Chen et al., arXiv 1604.06174): within a part, the backward pass reads values that
 * are rebuilt from what the part reads, so that none of the first ones is kept. What a part reads is tied to the first gradient that
 * reaches it: without that, ONNX Runtime would find the copies equal to the first ones and merge them, or run them early.
 */
export class Recomputation {
  readonly #parts: RecomputedParts;
  readonly #rebuilt = new Map<string, Map<Value, Value>>();
  readonly #reached = new Map<string, Value>();

  constructor(parts: RecomputedParts) {
    this.#parts = parts;
  }

  /** Notes that the backward pass has come to `value` with this gradient. */
  reach(value: Value, gradient: Value): void {
    for (const part of this.#partsOf(value)) if (!this.#reached.has(part)) this.#reached.set(part, gradient);
  }

  /** The copy of a value that its own gradient rule reads; the value itself outside of all parts. */
  copyOf(value: Value): Value {
    const parts = this.#partsOf(value);
    return parts.length === 0 ? value : this.#copy(value, parts);
  }

  /** Leaves are there anyway, wherever they were first asked for. */
  #partsOf(value: Value): readonly string[] {
    return value.inputs.length === 0 ? [] : this.#parts(value.scope);
  }

  /** `value` as computed within the last of `within`; what lies in deeper parts of that part is computed with it. */
  #copy(value: Value, within: readonly string[]): Value {
    const part = within.at(-1)!;
    const copies = this.#rebuilt.get(part) ?? new Map<Value, Value>();
    this.#rebuilt.set(part, copies);
    const known = copies.get(value);
    if (known) return known;
    const inputs = value.inputs.map((input) => {
      const own = this.#partsOf(input);
      const shared = within.filter((name, depth) => own[depth] === name);
      if (shared.length === within.length) return this.#copy(input, within);
      const outer = shared.length === 0 ? input : this.#copy(input, shared);
      return isStill(input) ? input : this.#tied(outer, part, copies);
    });
    const made = value.builder.append(value.op, inputs, value.attributes, `recomputed/${value.scope}`);
    copies.set(value, made);
    return made;
  }

  #tied(outer: Value, part: string, copies: Map<Value, Value>): Value {
    const known = copies.get(outer);
    if (known) return known;
    const tied = outer.builder.scope(`recomputed/${part}`, () => after(outer, [this.#reached.get(part)!]));
    copies.set(outer, tied);
    return tied;
  }
}
