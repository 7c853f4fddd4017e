import type { Graph, Value } from '../graph/value.js';
import { addMatmulOp } from '../ops/add-matmul.js';
import { isMadeBy } from '../ops/primitive.js';

/** A value's inputs, what was made last at the end. A pointwise product reads views that it makes itself: of b, of a, of the addend. */
const byMaking = (value: Value, place: ReadonlyMap<Value, number>): Value[] => {
  const inputs = [...new Set(value.inputs)];
  if (!isMadeBy(value, addMatmulOp) || !value.attributes.pointwise) return inputs.sort((a, b) => place.get(a)! - place.get(b)!);
  const [a, b, addend] = value.inputs;
  return [...new Set([b!, a!, addend!])];
};

/**
 * The order in which ONNX Runtime computes a graph: depth first from its ends, the last of them first, and of a value's inputs the last
 * made first (GraphViewer's reverse depth-first order). Leaves (inputs, weights, constants) are left out.
 */
export const executionOrder = ({ values }: Graph): Value[] => {
  const place = new Map(values.map((value, index) => [value, index]));
  const read = new Set(values.flatMap(({ inputs }) => inputs));
  const order: Value[] = [];
  const seen = new Set<Value>();
  const stack: { value: Value; leave: boolean }[] = values.filter((value) => !read.has(value)).map((value) => ({ value, leave: false }));
  while (stack.length > 0) {
    const { value, leave } = stack.pop()!;
    if (leave) order.push(value);
    else if (!seen.has(value)) {
      seen.add(value);
      stack.push({ value, leave: true });
      const inputs = byMaking(value, place).filter((input) => !seen.has(input));
      for (const input of inputs) stack.push({ value: input, leave: false });
    }
  }
  return order.filter(({ inputs }) => inputs.length > 0);
};
