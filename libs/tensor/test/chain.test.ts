import { expect, test } from '@jest/globals';
import { inputsOf } from '../src/graph/feeds.js';
import { add, evaluate, GraphBuilder, graphOf, matmul, printGraph, type Value } from '../src/index.js';
import { chain } from '../src/lowering/chain.js';

const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));

/** Names of the operators after the pass, whose meaning stays. */
const chained = (build: (x: Value, w: Value, v: Value) => Value): string[] => {
  const g = new GraphBuilder();
  const y = build(g.input('x', 'f32', ['n', 3]), g.input('w', 'f32', [3, 3]), g.input('v', 'f32', [1, 3]));
  const after = chain(graphOf({ y }));
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
