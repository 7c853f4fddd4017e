import { type Bindings, elementCount, resolveShape } from '../graph/dimension.js';
import type { Graph, Value } from '../graph/value.js';
import type { MatmulAttributes } from '../ops/matmul.js';

/** Classes of operators, each with one rate a machine: products in FLOP, the rest in bytes read and written, or elements. */
export const OPERATOR_CLASSES = ['product', 'thinProduct', 'elementwise', 'transcendental', 'movement'] as const;
export type OperatorClass = (typeof OPERATOR_CLASSES)[number];

/** Amount of work of each class. */
export type Work = Readonly<Record<OperatorClass, number>>;

const TRANSCENDENTAL: ReadonlySet<string> = new Set([
  'exp',
  'log',
  'sin',
  'cos',
  'erf',
  'tanh',
  'sigmoid',
  'silu',
  'gelu',
  'geluTanh',
  'softmax',
  'logSoftmax',
]);
const MOVEMENT: ReadonlySet<string> = new Set([
  'transpose',
  'slice',
  'pad',
  'concat',
  'gather',
  'arrangeRows',
  'scatterAddRows',
  'broadcastTo',
  'where',
  'rope',
]);
const FREE: ReadonlySet<string> = new Set(['reshape', 'after', 'stopGradient', 'size', 'iota']);

/** A product whose smallest side is at most this is bound by memory, not by arithmetic: LoRA's. */
const THIN = 32;

/** Counts the work of one run of a lowered graph. */
export const countWork = (graph: Graph, bindings: Bindings): Work => {
  const work: Record<OperatorClass, number> = { product: 0, thinProduct: 0, elementwise: 0, transcendental: 0, movement: 0 };
  const count = ({ shape }: Value): number => elementCount(resolveShape(shape, bindings)) as number;
  for (const value of graph.values) {
    const { op, inputs } = value;
    if (inputs.length === 0 || FREE.has(op.name)) continue;
    const size = count(value);
    if (op.name === 'matmul') {
      const inner = resolveShape(inputs[0]!.shape, bindings).at((value.attributes as MatmulAttributes).transA ? -2 : -1)!;
      const thin = Math.min(inner, ...resolveShape(value.shape, bindings).slice(-2)) <= THIN;
      work[thin ? 'thinProduct' : 'product'] += 2 * size * inner;
    } else if (TRANSCENDENTAL.has(op.name)) work.transcendental += size;
    else if (MOVEMENT.has(op.name)) work.movement += 8 * size;
    else work.elementwise += 4 * (size + inputs.reduce((sum, input) => sum + count(input), 0));
  }
  return work;
};
