import { expect, test } from '@jest/globals';
import {
  add,
  evaluate,
  exp,
  type Graph,
  GraphBuilder,
  graphOf,
  matmul,
  mul,
  reduceSum,
  reshape,
  type Shape,
  softmax,
  sub,
  type Value,
} from '../../src/index.js';
import { sinkReshapes } from '../../src/passes/sink-reshapes.js';

const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));

const opsOf = (graph: Graph): string[] =>
  graph.values.filter(({ inputs }) => inputs.length > 0).map(({ op, shape }) => `${op.name} ${shape.join()}`);

/** What the pass makes of a graph over p [3, 2*half, 4], w [4, 5] and d [6*half, 5]; the meaning stays, to the last bit. */
const sunk = (build: (inputs: { p: Value; w: Value; d: Value }) => Value): string[] => {
  const g = new GraphBuilder();
  const inputs = { p: g.input('p', 'f32', [3, '2*half', 4]), w: g.input('w', 'f32', [4, 5]), d: g.input('d', 'f32', ['6*half', 5]) };
  const graph = graphOf({ y: build(inputs), ...inputs, half: g.input('half', 'i32', ['half']) });
  const after = sinkReshapes(graph);
  const feeds = { p: { shape: [3, 4, 4], data: data(48) }, w: data(20), d: { shape: [12, 5], data: data(60) }, half: new Int32Array(2) };
  expect(evaluate(after.outputs, feeds)['y']).toEqual(evaluate(graph.outputs, feeds)['y']);
  return opsOf(after);
};

const there = (x: Value): Value => reshape(x, ['6*half', x.shape.at(-1)!]);
const back = (x: Value): Value => reshape(x, [3, '2*half', x.shape.at(-1)!]);

test('what is computed row by row of a view is computed of what is viewed, and a view back is none', () => {
  expect(sunk(({ p, w }) => exp(back(softmax(there(matmul(p, w))))))).toEqual([
    'matmul 3,2*half,5',
    'softmax 3,2*half,5',
    'exp 3,2*half,5',
  ]);
  expect(sunk(({ p, w }) => exp(softmax(there(matmul(p, w)))))).toEqual([
    'matmul 3,2*half,5',
    'softmax 3,2*half,5',
    'reshape 6*half,5',
    'exp 6*half,5',
  ]);
});

test('sums of rows and arithmetic between views of other shapes follow', () => {
  const scores = ({ p, w, d }: { p: Value; w: Value; d: Value }): Value => {
    const [product, other] = [there(matmul(p, w)), there(exp(reshape(d, ['3*half', 2, 5])))];
    const sums = reduceSum(mul(other, product), [-1], { keepDims: true });
    return exp(back(mul(sub(product, sums), 2)));
  };
  expect(sunk(scores)).toEqual([
    'matmul 3,2*half,5',
    'reshape 3*half,2,5',
    'exp 3*half,2,5',
    'reshape 3,2*half,5',
    'mul 3,2*half,5',
    'reduceSum 3,2*half,1',
    'sub 3,2*half,5',
    'mul 3,2*half,5',
    'exp 3,2*half,5',
  ]);
});

test('of two shapes it is the one in which the result is read', () => {
  const muls = (read: Shape): string[] =>
    sunk(({ p, w }) => {
      const [thirds, halves] = [matmul(p, w), matmul(reshape(p, [2, '3*half', 4]), w)];
      return exp(reshape(mul(there(thirds), there(halves)), read));
    }).filter((line) => line.startsWith('mul'));
  expect(muls([3, '2*half', 5])).toEqual(['mul 3,2*half,5']);
  expect(muls([2, '3*half', 5])).toEqual(['mul 2,3*half,5']);
});

test('a view that cuts rows, an operand that is no view, and a sum over another axis stay', () => {
  expect(sunk(({ d }) => softmax(reshape(exp(d), ['3*half', 10])))).toEqual(['exp 6*half,5', 'reshape 3*half,10', 'softmax 3*half,10']);
  expect(sunk(({ p, w, d }) => add(there(matmul(p, w)), d))).toEqual(['matmul 3,2*half,5', 'reshape 6*half,5', 'add 6*half,5']);
  expect(sunk(({ p, w }) => reduceSum(there(matmul(p, w)), [0], { keepDims: true }))).toEqual([
    'matmul 3,2*half,5',
    'reshape 6*half,5',
    'reduceSum 1,5',
  ]);
});
