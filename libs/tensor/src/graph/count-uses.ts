import type { Graph, Value } from './value.js';

/** How often each value is read, by others and as an output. */
export const countUses = (graph: Graph): ReadonlyMap<Value, number> => {
  const uses = new Map<Value, number>();
  for (const value of [...graph.values.flatMap(({ inputs }) => inputs), ...Object.values(graph.outputs)])
    uses.set(value, (uses.get(value) ?? 0) + 1);
  return uses;
};
