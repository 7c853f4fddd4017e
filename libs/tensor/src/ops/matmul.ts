import { MICROSOFT } from '../emit/emitter.js';
import type { TensorType, Value } from '../graph/value.js';
import { broadcastShapes, forEachBroadcast, unbroadcast } from './broadcast-rules.js';
import { reshape } from './movement.js';
import { apply, type Primitive } from './primitive.js';

/**
 * A product with a side of at most this, ranks of adapters, is thin: what it costs is memory read and written, not arithmetic. Measured at
 * rank 8 (docs/decisions/0016); the bound itself is a choice, which holds the ranks in use.
 */
export const THIN = 32;

export interface MatmulAttributes {
  /** Read the last two axes of a (b) exchanged. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** Factor of the product. */
  readonly alpha: number;
}

const sides = ({ shape }: TensorType, transposed: boolean) => {
  const [rows, columns] = shape.slice(-2);
  return { batch: shape.slice(0, -2), rows: transposed ? columns! : rows!, columns: transposed ? rows! : columns! };
};

/** alpha * a b: [..., M, K] x [..., K, N] -> [..., M, N], leading axes broadcast. */
export const matmulOp: Primitive<MatmulAttributes> = {
  name: 'matmul',
  type: ([a, b], { transA, transB }) => {
    if (a!.dtype !== b!.dtype || !(a!.dtype === 'f32' || a!.dtype === 'f16')) throw new Error('needs two f32 (or two f16) tensors');
    if (a!.shape.length < 2 || b!.shape.length < 2) throw new Error('needs rank 2 or more');
    const [left, right] = [sides(a!, transA), sides(b!, transB)];
    if (left.columns !== right.rows) {
      throw new Error(`inner sizes ${left.columns} and ${right.rows} differ (transA ${transA}, transB ${transB})`);
    }
    return { dtype: a!.dtype, shape: [...broadcastShapes(left.batch, right.batch), left.rows, right.columns] };
  },
  gradient: (value, dy, wanted) => productGradients(value, dy, wanted),
  evaluate: ([a, b], { transA, transB, alpha }, { shape }) => {
    const [m, n] = shape.slice(-2) as [number, number];
    const k = a!.shape.at(transA ? -2 : -1)!;
    const result = new Float64Array(shape.reduce((x, y) => x * y, 1));
    const [aRow, aColumn] = transA ? [1, m] : [k, 1];
    const [bRow, bColumn] = transB ? [1, k] : [n, 1];
    forEachBroadcast(shape.slice(0, -2), [a!.shape.slice(0, -2), b!.shape.slice(0, -2)], (batch, [i, j]) => {
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let sum = 0;
          for (let at = 0; at < k; at++) {
            sum += a!.data[i! * m * k + row * aRow! + at * aColumn!]! * b!.data[j! * k * n + at * bRow! + column * bColumn!]!;
          }
          result[(batch * m + row) * n + column] = alpha * sum;
        }
      }
    });
    return result;
  },
  emit: (emitter, inputs, { attributes: { transA, transB, alpha } }) => {
    if (!transA && !transB && alpha === 1) return emitter.op('MatMul', inputs);
    const flags = { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } };
    return emitter.op('FusedMatMul', inputs, flags, MICROSOFT);
  },
};

/** Of alpha * a b with respect to a and b. */
export const productGradients = (
  { inputs, attributes }: Value & { attributes: MatmulAttributes },
  dy: Value,
  wanted: readonly boolean[],
): (Value | null)[] => {
  const [a, b] = inputs as [Value, Value];
  return [wanted[0] ? gradientOfA(a, b, dy, attributes) : null, wanted[1] ? gradientOfB(a, b, dy, attributes) : null];
};

const gradientOfA = (a: Value, b: Value, dy: Value, { transA, transB, alpha }: MatmulAttributes): Value => {
  const product = transA
    ? apply(matmulOp, [b, dy], { transA: transB, transB: true, alpha })
    : apply(matmulOp, [dy, b], { transA: false, transB: !transB, alpha });
  return unbroadcast(product, a.shape);
};

const gradientOfB = (a: Value, b: Value, dy: Value, { transA, transB, alpha }: MatmulAttributes): Value => {
  // One weight shared by all leading axes: their rows are rows of one product, not a sum of a batch of products.
  const shared = b.shape.length === 2 && a.shape.length > 2 && !transA;
  const [x, gradient] = shared ? [reshape(a, [-1, a.shape.at(-1)!]), reshape(dy, [-1, dy.shape.at(-1)!])] : [a, dy];
  const product = transB
    ? apply(matmulOp, [gradient, x], { transA: true, transB: transA, alpha })
    : apply(matmulOp, [x, gradient], { transA: !transA, transB: false, alpha });
  return unbroadcast(product, b.shape);
};

export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
}

export const matmul = (a: Value, b: Value, { transA = false, transB = false }: MatmulOptions = {}): Value =>
  apply(matmulOp, [a, b], { transA, transB, alpha: 1 });
