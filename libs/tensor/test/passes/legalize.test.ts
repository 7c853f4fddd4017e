import { expect, test } from '@jest/globals';
import { after, evaluate, GraphBuilder, graphOf, matmul, mul, relu, slice } from '../../src/index.js';
import { fuse } from '../../src/passes/fuse.js';
import { legalize } from '../../src/passes/legalize.js';
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

test('on cpu the first operand of a large gradient is turned before the product', () => {
  const g = new GraphBuilder();
  const [x, dy] = [g.input('x', 'f32', ['n', 128]), g.input('dy', 'f32', ['n', 160])];
  const graph = graphOf({ dw: matmul(dy, x, { transA: true }), small: matmul(dy, slice(x, 1, 0, 64), { transA: true }) });
  const after = legalize(graph, 'cpu');
  const products = after.values.flatMap(({ op, attributes, inputs }) => (op.name === 'matmul' ? [[attributes, inputs[0]!.op.name]] : []));
  expect(products).toEqual([
    [{ transA: false, transB: false, alpha: 1 }, 'reshape'],
    [{ transA: true, transB: false, alpha: 1 }, 'input'],
  ]);
  const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));
  const feeds = { x: { shape: [3, 128], data: data(384) }, dy: { shape: [3, 160], data: data(480) } };
  expect(evaluate(after.outputs, feeds)['dw']).toEqual(evaluate(graph.outputs, feeds)['dw']);
});

/** Shapes of the products that stand in the place of one of a batch, whose meaning stays. */
const batched = (heads: number, transA: boolean): unknown[] => {
  const g = new GraphBuilder();
  const p = g.input('p', 'f32', [1, heads, '2*half', 6]);
  const half = g.input('half', 'i32', ['half']);
  const d = g.input('d', 'f32', transA ? [1, heads, '2*half', 4] : [1, heads, 6, 4]);
  const graph = graphOf({ y: matmul(p, d, { transA }), half });
  const after = legalize(graph, 'cpu');
  const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));
  const feeds = {
    p: { shape: [1, heads, 6, 6], data: data(heads * 36) },
    d: { shape: [1, heads, 6, 4], data: data(heads * 24) },
    half: new Int32Array(3),
  };
  const [found, wanted] = [evaluate(after.outputs, feeds)['y']!, evaluate(graph.outputs, feeds)['y']!];
  expect(found.shape).toEqual(wanted.shape);
  for (const [at, element] of wanted.data.entries()) expect(found.data[at]).toBeCloseTo(element, 12);
  return after.values.filter(({ op }) => op.name === 'matmul').map(({ shape }) => shape);
};

test('on cpu an odd batch of products is halved by rows, or by what is summed over, so that two cores have as much to do', () => {
  expect(batched(3, false)).toEqual([[1, 3, 2, 'half', 4]]);
  expect(batched(3, true)).toEqual([[1, 3, 2, 6, 4]]);
  expect(batched(4, false)).toEqual([[1, 4, '2*half', 4]]);
  expect(batched(1, true)).toEqual([[1, 1, 6, 4]]);
});

test('slices that halved products read are slices of one view, each made once', () => {
  const g = new GraphBuilder();
  const [p, k] = [g.input('p', 'f32', [1, 3, '2*half', 6]), g.input('k', 'f32', [1, 3, 8, 6])];
  const part = slice(k, 2, 0, 4);
  const scores = matmul(p, part, { transB: true });
  const { values } = legalize(
    graphOf({ y: matmul(scores, part), whole: matmul(p, k, { transB: true }), half: g.input('half', 'i32', ['half']) }),
    'cpu',
  );
  expect(values.filter(({ op }) => op.name === 'slice').map(({ shape }) => shape)).toEqual([[1, 3, 1, 4, 6]]);
  expect(values.filter(({ op, shape }) => op.name === 'reshape' && shape.join() === '1,3,1,8,6')).toHaveLength(1);
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
