import { expect, test } from '@jest/globals';
import { countProducts, GraphBuilder, graphOf, matmul, operationsOf } from '../src/index.js';

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
