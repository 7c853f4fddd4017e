import { expect, test } from '@jest/globals';
import { after, GraphBuilder, graphOf, matmul, mul, relu } from '../src/index.js';
import { fuse } from '../src/lowering/fuse.js';
import { legalize } from '../src/lowering/legalize.js';
import { expectPass } from './pass.js';

test('on cpu a small product wider than tall is computed taller than wide', () => {
  expectPass(
    (a, b) => matmul(a, b, { transB: true }),
    (graph) => legalize(graph, 'cpu'),
    ['matmul(%1, %0) alpha=1 transA=false transB=true', 'transpose(%2) permutation=[1, 0]'],
  );
  expectPass(
    (a, b) => matmul(b, a, { transB: true }),
    (graph) => legalize(graph, 'cpu'),
    ['matmul(%1, %0) alpha=1 transA=false transB=true'],
  );
});

/** Shape of the product and of what stands in its place. */
const waysUp = (rows: number, columns: number): unknown[] => {
  const g = new GraphBuilder();
  const y = matmul(g.input('a', 'f32', [7, rows]), g.input('b', 'f32', [7, columns]), { transA: true });
  return legalize(graphOf({ y }), 'cpu')
    .values.filter(({ op }) => op.name === 'matmul')
    .map(({ shape }) => shape);
};

test('on cpu the gradients of adapters are wide where parts for each thread stay wide, else tall', () => {
  expect([waysUp(576, 8), waysUp(8, 576)]).toEqual([[[8, 576]], [[8, 576]]]);
  expect([waysUp(192, 8), waysUp(8, 192)]).toEqual([[[192, 8]], [[192, 8]]]);
  expect(waysUp(576, 64)).toEqual([[576, 64]]);
});

test('webgpu gets plain products only', () => {
  expectPass(
    (a, b) => relu(mul(matmul(a, b, { transB: true }), 0.5)),
    (graph) => legalize(fuse(graph), 'webgpu'),
    ['transpose(%1) permutation=[1, 0]', 'matmul(%0, %2) alpha=1 transA=false transB=false', 'mul(%3, %4)', 'relu(%5)'],
  );
});

test('webgpu knows no order, which tensors without elements would carry', () => {
  expectPass(
    (a, b) => matmul(after(a, [b]), b, { transB: true }),
    (graph) => legalize(graph, 'webgpu'),
    ['transpose(%1) permutation=[1, 0]', 'matmul(%0, %2) alpha=1 transA=false transB=false'],
  );
});
