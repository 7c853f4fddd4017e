import { expect, test } from '@jest/globals';
import { evaluate, GraphBuilder, graphOf, matmul, mul, printGraph, reduceSum, relu, reshape, transpose, type Value } from '../src/index.js';
import { emit } from '../src/lowering/emit.js';
import { fuse } from '../src/lowering/fuse.js';
import { legalize } from '../src/lowering/legalize.js';

const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));

/** The pass changes the operators as told, and not the meaning. */
const expectPass = (build: (a: Value, b: Value) => Value, pass: typeof fuse, expected: string[]): void => {
  const g = new GraphBuilder();
  const graph = graphOf({ y: build(g.input('a', 'f32', [3, 4]), g.input('b', 'f32', [5, 4])) });
  const after = pass(graph);
  const lines = printGraph(after).split('\n');
  expect(lines.filter((line) => /matmul|transpose|mul\(|relu/.test(line)).map((line) => line.replace(/^.* = /, ''))).toEqual(expected);
  const feeds = { a: data(12), b: data(20) };
  const [found, wanted] = [evaluate(after.outputs, feeds)['y']!, evaluate(graph.outputs, feeds)['y']!];
  expect(found.shape).toEqual(wanted.shape);
  for (const [at, element] of wanted.data.entries()) expect(found.data[at]).toBeCloseTo(element, 12);
};

test('a transpose that a product reads becomes its flag', () => {
  expectPass((a, b) => matmul(a, transpose(b)), fuse, ['matmul(%0, %1) alpha=1 transA=false transB=true']);
  expectPass((a, b) => matmul(transpose(transpose(a)), b, { transB: true }), fuse, ['matmul(%0, %1) alpha=1 transA=false transB=true']);
  expectPass((a, b) => matmul(transpose(b), transpose(a), { transA: true }), fuse, ['matmul(%1, %0) alpha=1 transA=false transB=true']);
});

test('a constant factor of a product becomes its alpha, unless the product is needed without it', () => {
  expectPass((a, b) => mul(matmul(a, b, { transB: true }), 0.5), fuse, ['matmul(%0, %1) alpha=0.5 transA=false transB=true']);
  expectPass(
    (a, b) => {
      const product = matmul(a, b, { transB: true });
      return matmul(mul(product, 0.5), product, { transB: true });
    },
    fuse,
    ['matmul(%0, %1) alpha=1 transA=false transB=true', 'mul(%2, %3)', 'matmul(%4, %2) alpha=1 transA=false transB=true'],
  );
});

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

test('webgpu gets plain products only', () => {
  expectPass(
    (a, b) => relu(mul(matmul(a, b, { transB: true }), 0.5)),
    (graph) => legalize(fuse(graph), 'webgpu'),
    ['transpose(%1) permutation=[1, 0]', 'matmul(%0, %2) alpha=1 transA=false transB=false', 'mul(%3, %4)', 'relu(%5)'],
  );
});

test('the model tells the size of every value between inputs and outputs', () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', 4]);
  const y = relu(reshape(matmul(x, g.input('w', 'f32', [4, 6])), ['2*tokens', 3]));
  const { between, nodes } = emit(graphOf({ y: reduceSum(y, [0]), whole: y }));
  const bySize = Object.fromEntries(between.map(({ name, shape }) => [name, shape]));
  const sizeOf = (type: string) => bySize[nodes.find((node) => node.type === type)!.outputs[0]!];
  expect(sizeOf('MatMul')).toEqual(['tokens', 6]);
  expect(sizeOf('Reshape')).toEqual(['2*tokens', 3]);
  expect(Object.keys(bySize)).not.toContain('whole');
});
