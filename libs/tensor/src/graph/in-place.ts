import { afterOp } from '../ops/after.js';
import { addOp, divOp, mulOp, subOp } from '../ops/arithmetic.js';
import { inputOp } from '../ops/leaves.js';
import { reshapeOp } from '../ops/movement.js';
import { isMadeBy, type Primitive } from '../ops/primitive.js';
import { stopGradientOp } from '../ops/unary.js';
import type { Provider } from '../provider.js';
import { sameShape } from './dimension.js';
import type { Graph, Value } from './value.js';

/** ONNX Runtime may give these the memory of their input: who reads them, reads the input. */
const VIEWS: readonly Primitive[] = [reshapeOp, stopGradientOp, afterOp];
/**
 * Element by element: such an operator may write over an operand that it reads; not on WebGPU, which binds a buffer to read or to write.
 */
const ELEMENTWISE: readonly Primitive[] = [addOp, subOp, mulOp, divOp];

const isView = (value: Value): boolean => VIEWS.includes(value.op);

/** Everything that reads the memory of `input`, views of it followed. */
const readersOf = (graph: Graph, input: Value): Value[] => {
  const memory = new Set([input]);
  const readers: Value[] = [];
  for (const value of graph.values) {
    if (!value.inputs.some((operand) => memory.has(operand))) continue;
    readers.push(value);
    if (isView(value)) memory.add(value);
  }
  return readers;
};

const ancestorsOf = (writer: Value): ReadonlySet<Value> => {
  const ancestors = new Set<Value>();
  const stack = [...writer.inputs];
  for (let value = stack.pop(); value; value = stack.pop()) {
    if (ancestors.has(value)) continue;
    ancestors.add(value);
    stack.push(...value.inputs);
  }
  return ancestors;
};

/**
 * ONNX Runtime does not know that an output lies where an input does, and orders operators as it likes. Throws unless every reader of such
 * an input is an ancestor of the value that is written over it: then it has read before, in whatever order.
 */
export const checkInPlace = (graph: Graph, inPlace: Readonly<Record<string, string>>, provider: Provider): void => {
  const mayReadItself = ({ op }: Value): boolean => provider !== 'webgpu' && (ELEMENTWISE.includes(op) || op.overwrites === true);
  for (const [output, name] of Object.entries(inPlace)) {
    const fail = (why: string): never => {
      throw new Error(`output "${output}" cannot take the place of input "${name}": ${why}`);
    };
    const writer = graph.outputs[output] ?? fail('there is no such output');
    const input =
      graph.values.find((value) => isMadeBy(value, inputOp) && value.attributes.name === name) ?? fail('there is no such input');
    if (Object.entries(inPlace).some(([other, taken]) => other !== output && taken === name)) fail('another output takes it too');
    if (writer.dtype !== input.dtype || !sameShape(writer.shape, input.shape)) fail('they have different types');
    if (Object.entries(graph.outputs).some(([other, value]) => other !== output && value === input)) fail('it is an output itself');
    const ancestors = ancestorsOf(writer);
    for (const reader of readersOf(graph, input)) {
      if (reader === writer && mayReadItself(writer)) continue;
      if (!ancestors.has(reader)) fail(`${reader.op.name} %${reader.id} may read it after the output is written`);
    }
  }
};
