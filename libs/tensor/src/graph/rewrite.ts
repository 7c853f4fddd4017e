import { GraphBuilder } from './builder.js';
import { type Graph, graphOf, type Value } from './value.js';

/** What a pass may do with one value: make another from already rewritten inputs, or null to copy it as it is. */
export type RewriteRule = (value: Value, inputs: readonly Value[], builder: GraphBuilder) => Value | null;

/** Rebuilds a graph value by value; what nothing uses any more falls away. */
export const rewriteGraph = (graph: Graph, rule: RewriteRule): Graph => {
  const builder = new GraphBuilder();
  const made = new Map<Value, Value>();
  for (const value of graph.values) {
    const inputs = value.inputs.map((input) => made.get(input)!);
    const copy = (): Value => builder.append(value.op, inputs, value.attributes, value.scope);
    made.set(value, builder.scope(value.scope, () => rule(value, inputs, builder)) ?? copy());
  }
  return graphOf(Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, made.get(value)!])));
};
