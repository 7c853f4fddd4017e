import { expect, test } from '@jest/globals';
import { inputsOf } from '../../src/graph/feeds.js';
import { add, evaluate, GraphBuilder, graphOf, matmul, printGraph, type Value } from '../../src/index.js';
import { addMatmulOp } from '../../src/ops/add-matmul.js';
import { matmulOp } from '../../src/ops/matmul.js';
import { apply, isMadeBy } from '../../src/ops/primitive.js';
import { chain } from '../../src/passes/chain.js';
import type { Provider } from '../../src/provider.js';

const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));

/** Names of the operators after the pass, whose meaning stays. */
const chained = (build: (x: Value, w: Value, v: Value) => Value, provider: Provider = 'cpu'): string[] => {
  const g = new GraphBuilder();
  const y = build(g.input('x', 'f32', ['n', 3]), g.input('w', 'f32', [3, 3]), g.input('v', 'f32', [1, 3]));
  const after = chain(graphOf({ y }), provider);
  const all: Record<string, Float32Array> = { x: data(12), w: data(9), v: data(3) };
  const feeds = Object.fromEntries(inputsOf(after).map(({ name }) => [name, all[name]!]));
  const [found, wanted] = [evaluate(after.outputs, feeds)['y']!, evaluate({ y }, feeds)['y']!];
  for (const [at, element] of wanted.data.entries()) expect(found.data[at]).toBeCloseTo(element, 12);
  return [...printGraph(after).matchAll(/= (\w+)\(/g)].map(([, name]) => name!).filter((name) => name !== 'input');
};

test('products that a sum alone reads are added as they are computed', () => {
  expect(chained((x, w) => add(matmul(x, w), matmul(x, w, { transB: true })))).toEqual(['matmul', 'addMatmul']);
  expect(chained((x, w) => add(add(x, matmul(x, w)), matmul(x, w, { transB: true })))).toEqual(['addMatmul', 'addMatmul']);
});

test('a product that is read elsewhere, or a sum that broadcasts, stays', () => {
  expect(
    chained((x, w) => {
      const product = matmul(x, w);
      return matmul(add(x, product), matmul(product, product, { transA: true }));
    }),
  ).toEqual(['matmul', 'add', 'matmul', 'matmul']);
  expect(chained((x, w, v) => add(matmul(x, w), v))).toEqual(['matmul', 'add']);
});

const WIDE = 64;

/** y = x w + u v + bias of a wide product and a thin one, the thin one first: what is added to what, and by which kernel. */
const kernels = (provider: Provider, factor = 1): { innermost: string; pointwise: unknown[] } => {
  const g = new GraphBuilder();
  const [x, w] = [g.input('x', 'f32', [4, WIDE]), g.input('w', 'f32', [WIDE, 5])];
  const [u, v] = [g.input('u', 'f32', [4, 2]), g.input('v', 'f32', [5, 2])];
  const thin = apply(matmulOp, [u, v], { transA: false, transB: true, alpha: factor });
  const y = add(thin, matmul(x, w));
  const after = chain(graphOf({ y }), provider);
  const feeds = { x: data(4 * WIDE), w: data(5 * WIDE), u: data(8), v: data(10) };
  const [found, wanted] = [evaluate(after.outputs, feeds)['y']!, evaluate({ y }, feeds)['y']!];
  for (const [at, element] of wanted.data.entries()) expect(found.data[at]).toBeCloseTo(element, 12);
  const sums = after.values.filter((value) => isMadeBy(value, addMatmulOp));
  return {
    innermost: sums[0]!.inputs[2]!.op.name,
    pointwise: sums.map(({ inputs, attributes }) => [inputs[0]!.shape[1], attributes, inputs[0]!.op.name]),
  };
};

test('of two products the thin one is added to the other, on CPU in the memory of the other', () => {
  const thin = { transA: false, transB: true, alpha: 1 };
  expect(kernels('cpu')).toEqual({ innermost: 'matmul', pointwise: [[2, { ...thin, pointwise: true }, 'input']] });
  expect(kernels('webgpu')).toEqual({ innermost: 'matmul', pointwise: [[2, { ...thin, pointwise: false }, 'input']] });
});

test('that kernel has no factor: it goes to the narrow side', () => {
  const thin = { transA: false, transB: true };
  expect(kernels('cpu', 0.5).pointwise).toEqual([[2, { ...thin, alpha: 1, pointwise: true }, 'mul']]);
  expect(kernels('webgpu', 0.5).pointwise).toEqual([[2, { ...thin, alpha: 0.5, pointwise: false }, 'input']]);
});
