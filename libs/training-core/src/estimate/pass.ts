import type { LlamaConfig } from '@tunefleet/model-formats';
import { countWork, type Graph, type GraphMemory, graphMemory, graphOf, lower, type Work } from '@tunefleet/tensor';
import { recomputedOf } from '../loop/passes.js';
import { plannedFull } from '../model/full.js';
import { plannedLora } from '../model/lora.js';
import { passGraph, type Recomputed } from '../model/pass-graph.js';
import type { ModelGraph } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';

/** The settings of a run that its memory and time depend on, besides the data. */
export type PlannedSpec = Pick<TrainingSpec, 'adapter' | 'base_precision' | 'memory'>;

/** One micro-batch: tokens in all, examples, tokens of the longest, tokens trained on. */
export interface PassSizes {
  tokens: number;
  examples: number;
  span: number;
  trained: number;
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

/** Resident bytes of a training process: its own, weights (or what the session packed of them), flat state, activations. */
export function passMemory(
  { activations, weights, packed }: GraphMemory,
  { lean, trained, accumulates }: { lean: boolean; trained: number; accumulates: boolean },
): number {
  const held = lean ? weights : packed.copies + packed.originals;
  return PROCESS_BYTES + held + 4 * (STATE + (accumulates ? 1 : 0)) * trained + activations;
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

  /** `accumulates`: gradients of further micro-batches of a step are added to those of the first. */
  cost(sizes: PassSizes, accumulates: boolean): PassCost {
    const graph = this.#graph(recomputedOf({ sizes: { ...sizes } }, this.#lean));
    const bindings = new Map(Object.entries(sizes));
    const memory = passMemory(graphMemory(graph, bindings), { lean: this.#lean, trained: this.trained, accumulates });
    return { memory, work: countWork(graph, bindings), operators: graph.values.length };
  }

  #graph(recomputed: Recomputed): Graph {
    const graph = this.#graphs.get(recomputed) ?? lower(graphOf(passGraph(this.#model, true, recomputed).outputs), 'cpu');
    this.#graphs.set(recomputed, graph);
    return graph;
  }
}
