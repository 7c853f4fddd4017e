import { printShape, sameShape } from './dimension.js';
import type { Graph } from './value.js';

/** Throws unless the graph is in single static assignment, closed, and every value has the type its primitive gives. Run after each pass. */
export const checkGraph = (graph: Graph, after: string): Graph => {
  const fail = (message: string): never => {
    throw new Error(`graph after ${after}: ${message}`);
  };
  const defined = new Set<unknown>();
  const names = new Set<string>();
  for (const value of graph.values) {
    const label = `${value.op.name} %${value.id}`;
    if (defined.has(value)) fail(`${label} is listed twice`);
    for (const input of value.inputs) {
      if (!defined.has(input)) fail(`${label} uses %${input.id} before its definition`);
      if (input.builder !== value.builder) fail(`${label} uses a value of another graph`);
    }
    const { dtype, shape } = value.op.type(value.inputs, value.attributes);
    if (dtype !== value.dtype || !sameShape(shape, value.shape)) {
      fail(`${label} is ${value.dtype}${printShape(value.shape)}, its rule says ${dtype}${printShape(shape)}`);
    }
    const { name } = value.attributes as { name?: string };
    if (name !== undefined) {
      if (names.has(name)) fail(`two leaves are named "${name}"`);
      names.add(name);
    }
    defined.add(value);
  }
  for (const [name, value] of Object.entries(graph.outputs)) {
    if (!defined.has(value)) fail(`output "${name}" is not in the graph`);
    if (names.has(name)) fail(`output "${name}" has the name of an input or weight`);
  }
  return graph;
};
