import { type Bindings, resolveShape } from '../graph/dimension.js';
import type { Graph } from '../graph/value.js';
import { addMatmulOp } from '../ops/add-matmul.js';
import { dequantizeOp, int4LinearOp, int4Op } from '../ops/int4.js';
import { frozenOp } from '../ops/leaves.js';
import { matmulOp } from '../ops/matmul.js';
import { isMadeBy, type Primitive } from '../ops/primitive.js';

/** Matrix products [batch, m, k] x [batch, k, n] of one size. */
export interface ProductCount {
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** one operand is a weight that never changes */
  readonly frozen: boolean;
  /** how many of them the graph has */
  readonly count: number;
}

/** Floating point operations: a multiplication and an addition per term. */
export const operationsOf = ({ batch, m, k, n, count }: ProductCount): number => 2 * batch * m * k * n * count;

const FROZEN: ReadonlySet<Primitive> = new Set([frozenOp, int4Op, dequantizeOp] as Primitive[]);

/** The matrix products of one run of a graph, equal sizes counted together; most arithmetic first. */
export const countProducts = (graph: Graph, bindings: Bindings): ProductCount[] => {
  const counts = new Map<string, ProductCount>();
  for (const value of graph.values) {
    const plain = isMadeBy(value, matmulOp) || isMadeBy(value, addMatmulOp);
    if (!plain && !isMadeBy(value, int4LinearOp)) continue;
    const [a] = value.inputs;
    const [m, n] = resolveShape(value.shape.slice(-2), bindings) as [number, number];
    const turned = plain && value.attributes.transA;
    const [k] = resolveShape([a!.shape.at(turned ? -2 : -1)!], bindings) as [number];
    const batch = resolveShape(value.shape.slice(0, -2), bindings).reduce((x, y) => x * y, 1);
    const frozen = value.inputs.some(({ op }) => FROZEN.has(op));
    const key = [batch, m, k, n, frozen].join();
    counts.set(key, { batch, m, k, n, frozen, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((x, y) => operationsOf(y) - operationsOf(x));
};
