import { printShape } from './dimension.js';
import type { Graph } from './value.js';

const printAttribute = (attribute: unknown): string => {
  if (ArrayBuffer.isView(attribute)) {
    const elements = Array.from(attribute as Float32Array);
    return elements.length <= 4 ? `[${elements.join(', ')}]` : `[${elements.slice(0, 4).join(', ')}, ... ${elements.length} in all]`;
  }
  if (Array.isArray(attribute)) return `[${attribute.join(', ')}]`;
  return typeof attribute === 'string' ? JSON.stringify(attribute) : String(attribute);
};

/**
 * Canonical text: one value a line, numbered in order whatever the builder's own ids were, attributes in alphabetical order,
 * so that two equal graphs print alike and a change of a pass is a diff. Where frozen weights lie is left out.
 */
export const printGraph = (graph: Graph): string => {
  const numbers = new Map(graph.values.map((value, place) => [value, place]));
  const lines = graph.values.map((value) => {
    const attributes = Object.entries(value.attributes)
      .filter(([key]) => !['source', 'shape', 'dtype'].includes(key) || value.op.name === 'cast')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, attribute]) => ` ${key}=${printAttribute(attribute)}`)
      .join('');
    const inputs = value.inputs.map((input) => `%${numbers.get(input)}`).join(', ');
    const scope = value.scope === '' ? '' : `  # ${value.scope}`;
    return `%${numbers.get(value)}: ${value.dtype}${printShape(value.shape)} = ${value.op.name}(${inputs})${attributes}${scope}`;
  });
  const outputs = Object.entries(graph.outputs).map(([name, value]) => `return ${name} = %${numbers.get(value)}`);
  return [...lines, ...outputs, ''].join('\n');
};
