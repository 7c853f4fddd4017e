import { type Dimension, divideDimensions, type Shape, sameShape } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { afterOp } from '../ops/after.js';
import { mul } from '../ops/arithmetic.js';
import { cast } from '../ops/cast.js';
import { type MatmulAttributes, matmulOp, THIN } from '../ops/matmul.js';
import { reshape, slice, sliceOp, transpose } from '../ops/movement.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import { reduceSum } from '../ops/reduction.js';
import type { Provider } from '../provider.js';

/** Products up to this many elements are turned; beyond, the transpose would cost more than it is worth. */
const SMALL_PRODUCT = 65_536;

/**
 * Columns from which a small product of few rows has the same last bits on 1 to 4 threads: each thread's part is at least as wide as the
 * blocks of 128 columns that MLAS cuts (narrower parts are added up in longer runs of the inner size).
 */
const STABLE_COLUMNS = 512;

const swapLast = (x: Value): Value => {
  const rank = x.shape.length;
  return transpose(
    x,
    x.shape.map((_, axis) => (axis < rank - 2 ? axis : axis === rank - 2 ? rank - 1 : rank - 2)),
  );
};

/**
 * Small matrices of known size, adapters' gradients for example, are computed the way up that is better on CPU: wide where that is both
 * faster (a thin result uses part of each vector) and the same on any number of threads, else tall, as narrow products that are wider than
 * tall change their last bits with the number of threads.
 */
const isWrongWayUp = ({ shape }: Value): boolean => {
  const [m, n] = shape;
  if (shape.length !== 2 || typeof m !== 'number' || typeof n !== 'number' || m * n > SMALL_PRODUCT) return false;
  return n > m ? n < STABLE_COLUMNS : n <= THIN && m >= STABLE_COLUMNS;
};

/** WebGPU has no FusedMatMul: transposes and the factor become values of their own. */
const plainProduct = (value: Value & { attributes: MatmulAttributes }, inputs: readonly Value[]): Value | null => {
  const { transA, transB, alpha } = value.attributes;
  if (!transA && !transB && alpha === 1) return null;
  const [a, b] = [transA ? swapLast(inputs[0]!) : inputs[0]!, transB ? swapLast(inputs[1]!) : inputs[1]!];
  const product = apply(matmulOp, [a, b], { transA: false, transB: false, alpha: 1 });
  return alpha === 1 ? product : mul(product, alpha);
};

/**
 * The CPU has no kernel for products of float16. ONNX Runtime would drop the rounding with the type: here operands and result are rounded,
 * the sum is float32, as on tensor cores.
 */
const roundedProduct = (value: Value & { attributes: MatmulAttributes }, inputs: readonly Value[]): Value => {
  const [a, b] = inputs.map((input) => cast(input, 'f32')) as [Value, Value];
  return cast(apply(matmulOp, [a, b], value.attributes), 'f16');
};

/** Rows and columns from which a product is worth turning its first operand for. */
const LARGE = 128;

/** Gradients of whole weights: matrices of known size, the first operand read the other way. */
const isWeightGradient = ({ shape, attributes: { transA } }: Value & { attributes: MatmulAttributes }): boolean =>
  transA && shape.length === 2 && shape.every((dimension) => typeof dimension === 'number' && dimension >= LARGE);

/**
 * The CPU's product turns a first operand block by block, again for each block of columns: once before it is sooner (4 to 11 % of such a
 * product). The axis of one keeps ONNX Runtime from making the transpose a flag of the product again.
 */
const turnedBefore = (value: Value & { attributes: MatmulAttributes }, [a, b]: readonly Value[]): Value => {
  const [rows, columns] = a!.shape as [Dimension, Dimension];
  const turned = reshape(transpose(reshape(a!, [1, rows, columns]), [0, 2, 1]), [columns, rows]);
  return apply(matmulOp, [turned, b!], { ...value.attributes, transA: false });
};

/** Whether a batch of products is odd as far as its number is known: where a leading axis is even, it is even. */
const isOddBatch = (batch: Shape): boolean =>
  batch.some((size) => typeof size === 'number' && size > 1) && batch.every((size) => typeof size !== 'number' || size % 2 === 1);

type AxisViews = (x: Value, axis: number) => Value;

/** Views with an axis of one before `axis`, each made once; a slice's is a slice of its source's, so that all slices are of one view. */
const axisViews = (): AxisViews => {
  const made = new Map<string, Value>();
  const make: AxisViews = (x, axis) => {
    if (!isMadeBy(x, sliceOp)) return reshape(x, x.shape.toSpliced(axis, 0, 1));
    const { axis: cut, start, end } = x.attributes;
    return slice(view(x.inputs[0]!, axis), cut < axis ? cut : cut + 1, start, end);
  };
  const view: AxisViews = (x, axis) => {
    const key = `${x.id} ${axis}`;
    const known = made.get(key) ?? make(x, axis);
    made.set(key, known);
    return known;
  };
  return view;
};

/**
 * MLAS gives whole products of a batch to threads: of three, one of two cores computes two while the other waits. Halves of their rows are
 * shared evenly, and where the first operand is read the other way halves of the sum (a quarter of such products' time on two cores;
 * docs/decisions/0016).
 */
const halved = (value: Value & { attributes: MatmulAttributes }, [a, b]: readonly Value[], withAxis: AxisViews): Value | null => {
  const batch = value.shape.slice(0, -2);
  const [rows, columns] = a!.shape.slice(-2) as [Dimension, Dimension];
  const half = divideDimensions(rows, 2);
  if (!isOddBatch(batch) || half === null) return null;
  if (![a!, b!].every(({ shape }) => sameShape(shape.slice(0, -2), batch))) return null;
  const left = reshape(a!, [...batch, 2, half, columns]);
  const { transA, transB } = value.attributes;
  if (!transA) return reshape(apply(matmulOp, [left, withAxis(b!, batch.length)], value.attributes), value.shape);
  if (transB) return null;
  const sums = apply(matmulOp, [left, reshape(b!, [...batch, 2, half, b!.shape.at(-1)!])], value.attributes);
  return reduceSum(sums, [batch.length]);
};

const legalizeCpu = (value: Value, inputs: readonly Value[], withAxis: AxisViews): Value | null => {
  if (!isMadeBy(value, matmulOp)) return null;
  if (value.dtype === 'f16') return roundedProduct(value, inputs);
  if (isWeightGradient(value)) return turnedBefore(value, inputs);
  if (value.shape.length > 2) return halved(value, inputs, withAxis);
  if (!isWrongWayUp(value)) return null;
  const { transA, transB, alpha } = value.attributes;
  return swapLast(apply(matmulOp, [inputs[1]!, inputs[0]!], { transA: !transB, transB: !transA, alpha }));
};

/** Tensors without elements, by which `after` orders, end the process on WebGPU: no order there. */
const legalizeWebgpu = (value: Value, inputs: readonly Value[]): Value | null => {
  if (isMadeBy(value, afterOp)) return inputs[0]!;
  return isMadeBy(value, matmulOp) ? plainProduct(value, inputs) : null;
};

const RULES = { cpu: legalizeCpu, webgpu: legalizeWebgpu, cuda: () => null };

/** Rewrites what a provider lacks or does not do reproducibly. */
export const legalize = (graph: Graph, provider: Provider): Graph => {
  const withAxis = axisViews();
  return rewriteGraph(graph, (value, inputs) => RULES[provider](value, inputs, withAxis));
};
