import { expect, test } from '@jest/globals';
import { add, evaluate, GraphBuilder, gradients, reduceSum, silu } from '@tunefleet/tensor';
import { addLora, addLoras } from '../src/index.js';

const data = (length: number, phase: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at + phase)));

const RANKS = [2, 3, 1];

/** Outputs and gradients of three adapted modules that read one x. */
const threeModules = (scalings: readonly number[], together: boolean) => {
  const g = new GraphBuilder();
  const x = g.parameter('x', [5, 4]);
  const outputs = RANKS.map((rank, at) => ({
    y: g.parameter(`y${at}`, [5, 6]),
    factors: { a: g.parameter(`a${at}`, [rank, 4]), b: g.parameter(`b${at}`, [6, rank]) },
    scaling: scalings[at]!,
  }));
  const sums = together ? addLoras(outputs, x) : outputs.map(({ y, factors, scaling }) => addLora(y, x, factors, scaling));
  const loss = sums.map((sum, at) => reduceSum(at === 1 ? silu(sum) : sum)).reduce((a, b) => add(a, b));
  const learned = [x, ...outputs.flatMap(({ factors: { a, b } }) => [a, b])];
  const found = gradients(loss, learned);
  const named = Object.fromEntries([...sums, ...found].map((value, at) => [`v${at}`, value]));
  const feeds = Object.fromEntries(
    [x, ...outputs.flatMap(({ y, factors: { a, b } }) => [y, a, b])].map((value, at) => {
      const { name, shape } = value.attributes as { name: string; shape: number[] };
      return [name, data(shape[0]! * shape[1]!, at)];
    }),
  );
  return evaluate(named, feeds);
};

test.each([
  ['one scaling', [2, 2, 2]],
  ['none', [1, 1, 1]],
  ['a scaling of each', [2, 0.5, 1]],
])('adapters of modules that read one x give the same together and apart: %s', (_, scalings) => {
  const [together, apart] = [threeModules(scalings, true), threeModules(scalings, false)];
  expect(Object.keys(together)).toHaveLength(10);
  for (const [name, { data: found, shape }] of Object.entries(together)) {
    expect(shape).toEqual(apart[name]!.shape);
    found.forEach((element, at) => {
      expect(element).toBeCloseTo(apart[name]!.data[at]!, 12);
    });
  }
});
