import type { Batch, Example } from '@tunefleet/models';
import { type Bindings, countWork, type Feed, type Graph, graphMemory, graphOf, lower, sizesOf, type Work } from '@tunefleet/tensor';
import { recomputedOf } from '../loop/passes.js';
import { rowFeeds } from '../loop/touched-rows.js';
import { passGraph, type Recomputed } from '../model/pass-graph.js';
import type { ModelGraph } from '../model/trainable.js';

/**
 * Examples of one length, each trained on in its last tokens (in classification: of some class): all that the cost of a micro-batch depends
 * on.
 */
export function alike(count: number, length: number, trained: number): Example[] {
  const ids = new Int32Array(length);
  const weights = new Float32Array(length).fill(1, Math.max(1, length - trained));
  return Array.from({ length: count }, () => ({ ids, weights, label: 0 }));
}

export interface PassCost {
  /** resident bytes of the training process at their highest */
  memory: number;
  work: Work;
  /** operators of the graph */
  operators: number;
}

/**
 * A training process without its model: Node, our code, ONNX Runtime, rows, garbage. Measured on Linux x64
 * (docs/decisions/0015-memory-of-training.md).
 */
const PROCESS_BYTES = 150e6;

/** Floats of flat state a trained number: itself, its gradient, two moments. */
const STATE = 4;

/**
 * Bytes that a value of the graph costs before anything is computed: 5 kB here, 7 in ONNX Runtime, measured on graphs of 3,000 to 12,000.
 */
const OPERATOR_BYTES = 12e3;

/** Resident bytes of a training process: its own, weights (or what the session packed of them), flat state, activations. */
export function passMemory(
  graph: Graph,
  bindings: Bindings,
  { lean, trained, accumulates }: { lean: boolean; trained: number; accumulates: boolean },
): number {
  const state = 4 * (STATE + (accumulates ? 1 : 0)) * trained;
  return PROCESS_BYTES + state + sessionMemory(graph, bindings, lean);
}

/** What a session of a graph holds: its operators, weights, activations. */
export function sessionMemory(graph: Graph, bindings: Bindings, lean: boolean): number {
  const { activations, weights, packed } = graphMemory(graph, bindings);
  const held = lean ? weights : packed.copies + packed.originals;
  return OPERATOR_BYTES * graph.values.length + held + activations;
}

/** What one training pass costs, from its graph alone. */
export class PassPlan {
  readonly #model: ModelGraph;
  readonly #lean: boolean;
  readonly #graphs = new Map<Recomputed, Graph>();

  constructor(model: ModelGraph, memory: 'fast' | 'lean') {
    this.#model = model;
    this.#lean = memory === 'lean';
  }

  /** Numbers that are trained. */
  get trained(): number {
    return this.#model.layout.size;
  }

  /** @param accumulates gradients of further micro-batches of a step are added to those of the first */
  cost(examples: readonly Example[], accumulates: boolean): PassCost {
    const batch = this.#batch(examples);
    const graph = this.#graph(recomputedOf(batch, this.#lean));
    const bindings = sizesOf(graph, { ...batch.feeds, ...this.#rowFeeds(batch) });
    const memory = passMemory(graph, bindings, { lean: this.#lean, trained: this.trained, accumulates });
    return { memory, work: countWork(graph, bindings), operators: graph.values.length };
  }

  /** Bytes that a second session, which validates on these examples, holds besides. */
  validation(examples: readonly Example[]): number {
    const graph = lower(graphOf(passGraph(this.#model, false).outputs), 'cpu');
    return sessionMemory(graph, sizesOf(graph, this.#batch(examples).feeds), this.#lean);
  }

  /** Of the tables that learn by rows: as if no token occurred twice. */
  #rowFeeds({ feeds }: Batch): Record<string, Feed> {
    const { layout, tables = new Map<string, string>() } = this.#model;
    const each = [...tables].map(([name, ids]) => {
      const places = feeds[ids] as Int32Array;
      const rows = new Int32Array(Math.min(places.length, layout.slots.find((slot) => slot.name === name)!.shape[0]!));
      return rowFeeds(name, { rows, places });
    });
    return Object.assign({}, ...each);
  }

  #batch(examples: readonly Example[]): Batch {
    const batch = this.#model.network.batch(examples);
    if (!batch) throw new Error('nothing of the examples is trained on');
    return batch;
  }

  #graph(recomputed: Recomputed): Graph {
    const graph = this.#graphs.get(recomputed) ?? lower(graphOf(passGraph(this.#model, true, recomputed).outputs), 'cpu');
    this.#graphs.set(recomputed, graph);
    return graph;
  }
}
