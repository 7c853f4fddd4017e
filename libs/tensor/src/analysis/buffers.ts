import { plannedSizes } from '../emit/planned-sizes.js';
import type { DType, Graph, Value } from '../graph/value.js';
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
}

/** Views of their first input: ONNX Runtime copies nothing. */
const VIEWS: ReadonlySet<string> = new Set(['reshape', 'after', 'stopGradient']);

/** Kernels that may write over their only input (MayInplace in ONNX Runtime's CPU kernels). Arithmetic is not among them. */
const OVERWRITES: ReadonlySet<string> = new Set(['softmax', 'logSoftmax', 'sigmoid', 'tanh', 'relu']);

const WIDTH: Readonly<Record<DType, number>> = { f32: 4, f16: 2, i32: 4, bool: 1, i4: 1 };

/**
 * The buffers of one run as ONNX Runtime plans them when the session is made (allocation_planner.cc), in the order in which they are taken: a result goes over an input that it is the last
 * to read where the kernel can, else into the buffer of the value of its sizes that was done with last, else into a new one. A buffer is given back when none of the values planned into it is
 * read any more; between two of them it is held. Outputs lie with the caller.
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
  const sizesOf = (value: Value): string => [WIDTH[value.dtype], ...planned(value)].join();
  const shared = (value: Value, first: OpenBuffer | undefined): OpenBuffer | undefined => {
    if (VIEWS.has(value.op.name)) return first;
    const sizes = sizesOf(value);
    const over = OVERWRITES.has(value.op.name) && first?.readers === 1 && sizesOf(value.inputs[0]!) === sizes;
    return over ? first : dead.get(sizes)?.pop();
  };
  executionOrder(graph).forEach((value, place) => {
    const first = buffers.get(value.inputs[0]!);
    // A view of something fed or frozen has no buffer of its own.
    if (!outputs.has(value) && (first || !VIEWS.has(value.op.name))) {
      const buffer = shared(value, first) ?? { value, from: place, until: place, readers: 0 };
      if (buffer.from === place) taken.push(buffer);
      buffer.readers += readers.get(value) ?? 0;
      buffers.set(value, buffer);
    }
    for (const input of new Set(value.inputs)) {
      const buffer = buffers.get(input);
      if (!buffer) continue;
      buffer.readers--;
      buffer.until = place;
      if (buffer.readers > 0) continue;
      const sizes = sizesOf(buffer.value);
      const alike = dead.get(sizes);
      if (alike) alike.push(buffer);
      else dead.set(sizes, [buffer]);
    }
  });
  return taken;
};
