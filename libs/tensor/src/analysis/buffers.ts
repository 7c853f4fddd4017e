import { plannedSizes } from '../emit/planned-sizes.js';
import type { DType, Graph, Value } from '../graph/value.js';
import { addMatmulOp, asImage, turnedOperand } from '../ops/add-matmul.js';
import { isMadeBy } from '../ops/primitive.js';
import { executionOrder } from './execution-order.js';

/** Memory that results of operators lie in, one after the other. */
export interface SharedBuffer {
  /** its size is that of each value in it */
  readonly value: Value;
  /** places in the order of execution: where it is taken, and after which it is given back */
  readonly from: number;
  readonly until: number;
}

interface OpenBuffer extends SharedBuffer {
  until: number;
  /** of the values in it so far, who still reads them */
  readers: number;
  /** as ONNX Runtime compares them */
  readonly sizes: string;
}

/** Views of their first input: ONNX Runtime copies nothing. */
const VIEWS: ReadonlySet<string> = new Set(['reshape', 'after', 'stopGradient']);

/** Kernels that may write over their only input (MayInplace in ONNX Runtime's CPU kernels). Arithmetic is not among them. */
const OVERWRITES: ReadonlySet<string> = new Set(['softmax', 'logSoftmax', 'sigmoid', 'tanh', 'relu']);

/** The input that a value's kernel may write over; FusedConv's is what it adds to. */
const overwritten = (value: Value): Value | undefined => {
  if (isMadeBy(value, addMatmulOp) && value.attributes.pointwise) return value.inputs[2];
  return OVERWRITES.has(value.op.name) ? value.inputs[0] : undefined;
};

const WIDTH: Readonly<Record<DType, number>> = { f32: 4, f16: 2, i32: 4, bool: 1, i4: 1 };

/**
 * The buffers of one run as ONNX Runtime plans them when the session is made (allocation_planner.cc), in the order in which they are taken:
 * a result goes over an input that it is the last to read where the kernel can, else into the buffer of the value of its sizes that was
 * done with last, else into a new one. A buffer is given back when none of the values planned into it is read any more; between two of them
 * it is held. Outputs lie with the caller.
 */
export const planBuffers = (graph: Graph): SharedBuffer[] => {
  const outputs = new Set(Object.values(graph.outputs));
  const readers = new Map<Value, number>();
  for (const input of graph.values.flatMap(({ inputs }) => [...new Set(inputs)])) readers.set(input, (readers.get(input) ?? 0) + 1);
  const buffers = new Map<Value, OpenBuffer>();
  const taken: OpenBuffer[] = [];
  /** buffers that nobody reads any more, by sizes, the last one on top */
  const dead = new Map<string, OpenBuffer[]>();
  const planned = plannedSizes(graph);
  /** what ONNX Runtime compares: the bytes of an element, and sizes by their spelling */
  const sizesOf = (value: Value, shape = value.op.written?.(value) ?? value.shape): string =>
    [WIDTH[value.dtype], ...planned({ ...value, shape })].join();
  const take = (value: Value, place: number, sizes: string): OpenBuffer => {
    const found = dead.get(sizes)?.pop();
    if (found) return found;
    const buffer = { value, from: place, until: place, readers: 0, sizes };
    taken.push(buffer);
    return buffer;
  };
  const leave = (buffer: OpenBuffer): void => {
    const alike = dead.get(buffer.sizes);
    if (alike) alike.push(buffer);
    else dead.set(buffer.sizes, [buffer]);
  };
  const bufferFor = (value: Value, place: number): OpenBuffer => {
    if (VIEWS.has(value.op.name)) return buffers.get(value.inputs[0]!)!;
    const sizes = sizesOf(value);
    const input = overwritten(value);
    const under = input && buffers.get(input);
    return under?.readers === 1 && sizesOf(input!, input!.shape) === sizesOf(value, value.shape) ? under : take(value, place, sizes);
  };
  executionOrder(graph).forEach((value, place) => {
    const operand = turnedOperand(value);
    const turned = operand && take(operand, place, sizesOf(operand, asImage(operand.shape.toReversed())));
    // A view of something fed or frozen has no buffer of its own.
    if (!outputs.has(value) && (buffers.has(value.inputs[0]!) || !VIEWS.has(value.op.name))) {
      const buffer = bufferFor(value, place);
      buffer.readers += readers.get(value) ?? 0;
      buffers.set(value, buffer);
    }
    for (const input of new Set(value.inputs)) {
      const buffer = buffers.get(input);
      if (!buffer) continue;
      buffer.readers--;
      buffer.until = place;
      if (buffer.readers === 0) leave(buffer);
    }
    if (!turned) return;
    turned.until = place;
    leave(turned);
  });
  return taken;
};
