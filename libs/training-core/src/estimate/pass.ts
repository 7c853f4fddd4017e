import type { LlamaConfig } from '@tunefleet/model-formats';
import type { Example } from '@tunefleet/models';
import { type Bindings, countWork, type Graph, graphMemory, graphOf, lower, sizesOf, type Work } from '@tunefleet/tensor';
import { recomputedOf } from '../loop/passes.js';
import { plannedFull } from '../model/full.js';
import { plannedLora } from '../model/lora.js';
import { passGraph, type Recomputed } from '../model/pass-graph.js';
import type { ModelGraph } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';

/** The settings of a run that its memory and time depend on, besides the data. */
export type PlannedSpec = Pick<TrainingSpec, 'adapter' | 'base_precision' | 'memory'>;

/** Examples of one length, each trained on in its last tokens: all that the cost of a micro-batch depends on. */
export function alike(count: number, length: number, trained: number): Example[] {
  const ids = new Int32Array(length);
  const weights = new Float32Array(length).fill(1, Math.max(1, length - trained));
  return Array.from({ length: count }, () => ({ ids, weights }));
}

export interface PassCost {
  /** resident bytes of the training process at their highest */
  memory: number;
  work: Work;
  /** operators of the graph */
  operators: number;
}

/** A Node process with ONNX Runtime and our code, no session yet: resident bytes measured on Linux x64. */
const PROCESS_BYTES = 120e6;

/** Floats of flat state a trained number: itself, its gradient, two moments. */
const STATE = 4;

/** Bytes an operator of the graph costs before anything is computed, here and in ONNX Runtime: measured on graphs of 6,000 and 8,000. */
const OPERATOR_BYTES = 50e3;

/** Resident bytes of a training process: its own, weights (or what the session packed of them), flat state, activations. */
export function passMemory(
  graph: Graph,
  bindings: Bindings,
  { lean, trained, accumulates }: { lean: boolean; trained: number; accumulates: boolean },
): number {
  const { activations, weights, packed } = graphMemory(graph, bindings);
  const held = lean ? weights : packed.copies + packed.originals;
  const state = 4 * (STATE + (accumulates ? 1 : 0)) * trained;
  return PROCESS_BYTES + OPERATOR_BYTES * graph.values.length + held + state + activations;
}

/** What one training pass of a Llama costs, from its graph alone: nothing is read but the configuration. */
export class PassPlan {
  readonly #model: ModelGraph;
  readonly #lean: boolean;
  readonly #graphs = new Map<Recomputed, Graph>();

  constructor(config: LlamaConfig, { adapter, base_precision = 'float32', memory = 'fast' }: PlannedSpec) {
    this.#model = adapter.type === 'full' ? plannedFull(config) : plannedLora(config, base_precision, adapter);
    this.#lean = memory === 'lean';
  }

  /** Numbers that are trained. */
  get trained(): number {
    return this.#model.layout.size;
  }

  /** @param accumulates gradients of further micro-batches of a step are added to those of the first */
  cost(examples: readonly Example[], accumulates: boolean): PassCost {
    const batch = this.#model.network.batch(examples);
    if (!batch) throw new Error('nothing of the examples is trained on');
    const graph = this.#graph(recomputedOf(batch, this.#lean));
    const bindings = sizesOf(graph, batch.feeds);
    const memory = passMemory(graph, bindings, { lean: this.#lean, trained: this.trained, accumulates });
    return { memory, work: countWork(graph, bindings), operators: graph.values.length };
  }

  #graph(recomputed: Recomputed): Graph {
    const graph = this.#graphs.get(recomputed) ?? lower(graphOf(passGraph(this.#model, true, recomputed).outputs), 'cpu');
    this.#graphs.set(recomputed, graph);
    return graph;
  }
}
