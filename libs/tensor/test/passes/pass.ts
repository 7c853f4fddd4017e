import { expect } from '@jest/globals';
import { evaluate, type Graph, GraphBuilder, graphOf, printGraph, type Value } from '../../src/index.js';

const data = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at)));

/** The pass changes the operators as told, and not the meaning. */
export const expectPass = (build: (a: Value, b: Value) => Value, pass: (graph: Graph) => Graph, expected: string[]): void => {
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
