import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { GraphBuilder, graphOf, lower, relu } from '../src/index.js';

test('each pass is one file with one test', () => {
  const passes: string[] = [];
  const graph = graphOf({ y: relu(new GraphBuilder().input('x', 'f32', [2])) });
  lower(graph, 'cpu', (name) => passes.push(name));
  expect(passes.shift()).toBe('building');
  expect(passes.length).toBeGreaterThan(0);
  for (const name of passes) {
    expect([name, existsSync(new URL(`../src/lowering/${name}.ts`, import.meta.url))]).toEqual([name, true]);
    expect([name, existsSync(new URL(`${name}.test.ts`, import.meta.url))]).toEqual([name, true]);
  }
});
