import type { OnnxNode } from './onnx-proto.js';

export interface Simplifiable {
  readonly nodes: readonly OnnxNode[];
  readonly outputs: readonly { readonly name: string }[];
  /** names that a reshape may take its shape from and that say nothing but the shape: such a reshape may go where another follows it */
  readonly shapes: ReadonlySet<string>;
}

/**
 * What primitives write side by side costs a kernel's start each where it changes nothing: of a chain of reshapes only the last counts, an
 * output needs no copy under its own name, and what nobody reads goes.
 */
export const simplify = ({ nodes, outputs, shapes }: Simplifiable): OnnxNode[] =>
  withoutDead(named(reshapedOnce(nodes, shapes), outputs), outputs);

const reshapedOnce = (nodes: readonly OnnxNode[], shapes: ReadonlySet<string>): OnnxNode[] => {
  const sources = new Map<string, string>();
  /** the shape that a value has, as the name of what a reshape took it from */
  const shapeOf = new Map<string, string>();
  const instead = new Map<string, string>();
  const kept: OnnxNode[] = [];
  for (const node of nodes) {
    const inputs = node.inputs.map((name) => instead.get(name) ?? name);
    const [data, shape] = inputs as [string, string];
    const output = node.outputs[0]!;
    // A shape that is worked out from something else may hold the reshape back until that is known: it stays.
    if (node.type !== 'Reshape' || !shapes.has(shape)) {
      const same = node.type === 'RotaryEmbedding' && shapeOf.get(data);
      if (same) shapeOf.set(output, same);
      kept.push(node.type === 'Reshape' ? { ...node, inputs: [sources.get(data) ?? data, shape] } : { ...node, inputs });
      continue;
    }
    const source = sources.get(data) ?? data;
    if (shapeOf.get(source) === shape) {
      instead.set(output, source);
      continue;
    }
    sources.set(output, source);
    shapeOf.set(output, shape);
    kept.push({ ...node, inputs: [source, shape] });
  }
  return kept;
};

/** Gives values their output's name instead of a copy: each value once, and not those that were fed. */
const named = (nodes: readonly OnnxNode[], outputs: Simplifiable['outputs']): OnnxNode[] => {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const wanted = new Set(outputs.map(({ name }) => name));
  const names = new Map<string, string>();
  const copies = new Set<OnnxNode>();
  for (const node of nodes) {
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    if (node.type !== 'Identity' || !wanted.has(to) || wanted.has(from) || !made.has(from) || names.has(from)) continue;
    names.set(from, to);
    copies.add(node);
  }
  const rename = (name: string): string => names.get(name) ?? name;
  return nodes
    .filter((node) => !copies.has(node))
    .map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
};

const withoutDead = (nodes: readonly OnnxNode[], outputs: Simplifiable['outputs']): OnnxNode[] => {
  const read = new Set(outputs.map(({ name }) => name));
  const live: OnnxNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => read.has(name))) continue;
    for (const name of node.inputs) read.add(name);
    live.push(node);
  }
  return live.reverse();
};
