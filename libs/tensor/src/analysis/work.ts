import { type Bindings, elementCount, resolveShape } from '../graph/dimension.js';
import type { Graph, Value } from '../graph/value.js';
import { type MatmulAttributes, THIN } from '../ops/matmul.js';

/**
 * Classes of operators, each with one rate a machine. Products, in FLOP: of matrices; of each head of attention; with a side of at most
 * {@link THIN}, which memory bounds (LoRA's); by a matrix in 4-bit blocks. In bytes read and written: elementwise operators; in bytes
 * written and read from there: what moves elements. In elements: functions that take many cycles each; numbers made of 4-bit codes.
 */
export const OPERATOR_CLASSES = [
  'product',
  'headProduct',
  'thinProduct',
  'int4Product',
  'elementwise',
  'movement',
  'transcendental',
  'dequantized',
] as const;
export type OperatorClass = (typeof OPERATOR_CLASSES)[number];

/** Amount of work of each class. */
export type Work = Readonly<Record<OperatorClass, number>>;

/** A primitive that another library makes says its class itself. */
export type CountedAs = 'nothing' | 'product' | 'elementwise' | 'movement' | 'transcendental' | 'dequantized';

const named = (counted: CountedAs, names: string): [string, CountedAs][] => names.split(' ').map((name) => [name, counted]);

/** What each primitive is counted as. No entry is left to chance: a test walks the table of primitives. */
const COUNTED: ReadonlyMap<string, CountedAs> = new Map([
  ...named('nothing', 'input frozen constant iota size frozenInt4 reshape after stopGradient'),
  ...named('product', 'matmul addMatmul softmaxMatmul int4Linear'),
  ...named('elementwise', 'add sub mul div maximum minimum neg abs sqrt reciprocal relu equal less lessOrEqual and or not where cast'),
  ...named('elementwise', 'reduceSum reduceMean reduceMax argMax rmsNorm layerNorm'),
  ...named('transcendental', 'exp log sin cos erf tanh sigmoid silu gelu geluTanh softmax logSoftmax'),
  ...named('movement', 'transpose slice pad concat gather pick scatterAddRows broadcastTo rope'),
  ['dequantize', 'dequantized'],
]);

/** What a primitive is counted as; throws where nobody has said. */
export const countedAs = ({ name, work }: Value['op']): CountedAs => {
  const counted = work ?? COUNTED.get(name);
  if (counted === undefined)
    throw new Error(`primitive ${name} has no class of work: give its row \`work\`, or name it in analysis/work.ts`);
  return counted;
};

/** Counts the work of one run of a lowered graph. */
export const countWork = (graph: Graph, bindings: Bindings): Work => {
  const work = Object.fromEntries(OPERATOR_CLASSES.map((kind) => [kind, 0])) as Record<OperatorClass, number>;
  const count = ({ shape }: Value): number => elementCount(resolveShape(shape, bindings)) as number;
  for (const value of graph.values) {
    const counted = countedAs(value.op);
    if (counted === 'nothing') continue;
    const size = count(value);
    if (counted === 'product') countProduct(work, value, bindings);
    else if (counted === 'elementwise') work.elementwise += 4 * (size + value.inputs.reduce((sum, input) => sum + count(input), 0));
    else work[counted] += counted === 'movement' ? 8 * size : size;
  }
  return work;
};

const countProduct = (work: Record<OperatorClass, number>, value: Value, bindings: Bindings): void => {
  const { transA } = value.attributes as Partial<MatmulAttributes>;
  const shape = resolveShape(value.shape, bindings);
  const inner = resolveShape(value.inputs[0]!.shape, bindings).at(transA ? -2 : -1)!;
  work[productClass(value.op.name, shape, inner)] += 2 * inner * shape.reduce((a, b) => a * b, 1);
};

const productClass = (op: string, shape: readonly number[], inner: number): OperatorClass => {
  if (op === 'int4Linear') return 'int4Product';
  if (shape.slice(0, -2).some((axis) => axis > 1)) return 'headProduct';
  if (Math.min(inner, ...shape.slice(-2)) <= THIN) return 'thinProduct';
  return 'product';
};
