import { inputsOf } from '../graph/feeds.js';
import type { Graph, TensorType } from '../graph/value.js';
import type { InputAttributes } from '../ops/leaves.js';

/** What goes into a graph and what comes out: all that a run needs to know of it. Plain data, so that it can be kept. */
export interface GraphFace {
  readonly inputs: readonly InputAttributes[];
  readonly outputs: Readonly<Record<string, TensorType>>;
  /** names of inputs and weights of the graph as it was built; this one may not need them all */
  readonly declared: readonly string[];
}

/** The face of a lowered graph; `source`: the graph as it was built. */
export const faceOf = (graph: Graph, source: Graph): GraphFace => ({
  inputs: inputsOf(graph),
  outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
  declared: source.values[0]?.builder.declared ?? [],
});
