import { expect, test } from '@jest/globals';
import { countProducts, GraphBuilder, gradients, graphOf, linear, matmul, operationsOf, reduceSum } from '../../src/index.js';

test('products are counted by size, transposed operands and names for sizes included', () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', 3]);
  const w = g.frozen('w', [5, 3], { data: new Float32Array(15) });
  const y = matmul(x, w, { transB: true });
  const z = matmul(y, y, { transA: true });
  const again = matmul(matmul(x, w, { transB: true }), z);
  expect(countProducts(graphOf({ again }), new Map([['tokens', 7]]))).toEqual([
    { batch: 1, m: 7, k: 3, n: 5, frozen: true, count: 2 },
    { batch: 1, m: 5, k: 7, n: 5, frozen: false, count: 1 },
    { batch: 1, m: 7, k: 5, n: 5, frozen: false, count: 1 },
  ]);
  expect(operationsOf({ batch: 2, m: 7, k: 3, n: 5, frozen: true, count: 2 })).toBe(2 * 2 * 7 * 3 * 5 * 2);
});

test('products with a matrix in 4-bit blocks count, forward and backward', () => {
  const g = new GraphBuilder();
  const w = g.frozenInt4('w', [5, 32], { codes: { data: new Uint8Array(80) }, scales: { data: new Float32Array(5) } });
  const x = g.input('x', 'f32', ['tokens', 32]);
  const loss = reduceSum(linear(x, w));
  expect(countProducts(graphOf({ loss, dx: gradients(loss, [x])[0] }), new Map([['tokens', 7]]))).toEqual([
    { batch: 1, m: 7, k: 32, n: 5, frozen: true, count: 1 },
    { batch: 1, m: 7, k: 5, n: 32, frozen: true, count: 1 },
  ]);
});
