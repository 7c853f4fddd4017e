import { canonical, type Dimension, printShape, type Shape, sameShape, terms } from './dimension.js';
import { type Graph, graphOf } from './value.js';

/** What {@link Attributes} may hold: finite numbers, strings, booleans, lists of those, typed arrays, and where a frozen weight lies. */
const isAttribute = (key: string, attribute: unknown): boolean => {
  if (key === 'source') return typeof attribute === 'object' && attribute !== null;
  if (Array.isArray(attribute)) return attribute.every((element) => typeof element !== 'object' && isAttribute('', element));
  if (typeof attribute === 'number') return !Number.isNaN(attribute);
  return typeof attribute === 'string' || typeof attribute === 'boolean' || ArrayBuffer.isView(attribute);
};

/**
 * Why a dimension cannot be one, or null: a whole number from 0, or the canonical spelling of a polynomial over names that an input tells.
 */
const faultOf = (dimension: Dimension, told: ReadonlySet<string>): string | null => {
  if (typeof dimension === 'number') return Number.isSafeInteger(dimension) && dimension >= 0 ? null : `has the size ${dimension}`;
  if (canonical(dimension) !== dimension) return `spells ${canonical(dimension)} as "${dimension}"`;
  const unknown = terms(dimension)
    .flatMap(({ names }) => names)
    .find((name) => !told.has(name));
  return unknown === undefined ? null : `needs the size "${unknown}", which no input has alone as an axis`;
};

/** Names of sizes that feeds decide. */
const toldSizes = (graph: Graph): ReadonlySet<string> => {
  const inputs = graph.values.filter(({ op }) => op.name === 'input').flatMap(({ shape }): Shape => shape);
  return new Set(inputs.filter((dimension) => typeof dimension === 'string'));
};

/**
 * Throws unless the graph is in single static assignment, closed, without values that nothing needs, every value has the type its primitive
 * gives, sizes that a run can know, and attributes that print and hash. Run after each pass.
 */
export const checkGraph = (graph: Graph, after: string): Graph => {
  const fail = (message: string): never => {
    throw new Error(`graph after ${after}: ${message}`);
  };
  const defined = new Set<unknown>();
  const names = new Set<string>();
  const told = toldSizes(graph);
  const sound = new Set<Dimension>();
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
    for (const dimension of shape) {
      if (sound.has(dimension)) continue;
      const fault = faultOf(dimension, told);
      if (fault) fail(`${label} ${fault}`);
      sound.add(dimension);
    }
    for (const [key, attribute] of Object.entries(value.attributes)) {
      if (!isAttribute(key, attribute)) fail(`${label} has an attribute "${key}" that is no number, text, list of them or typed array`);
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
  const needed = new Set<unknown>(graphOf(graph.outputs).values);
  const idle = graph.values.find((value) => !needed.has(value));
  if (idle) fail(`${idle.op.name} %${idle.id} is needed by no output`);
  return graph;
};
