import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { runReadme } from '../../../tools/jest/readme.js';
import { GraphBuilder, graphOf, lower, relu } from '../src/index.js';

const PACKAGE = join(import.meta.dirname, '..');

test('the program in the README prints a graph before and after each pass', async () => {
  const passes: string[] = [];
  lower(graphOf({ y: relu(new GraphBuilder().input('x', 'f32', [2])) }), 'webgpu', (pass) => passes.push(pass));
  const { printed } = await runReadme(PACKAGE, 'Print a graph', ['webgpu']);
  const [, ...sections] = printed.split(/^== /m);
  expect(sections.map((section) => section.split('\n')[0])).toEqual(passes);
  for (const section of sections) expect(section).toMatch(/return loss = %\d+\nreturn da = %\d+\nreturn db = %\d+\n$/m);
});

test('the primitive that the README adds runs as it means, forward and backward', async () => {
  const { printed } = await runReadme(PACKAGE, 'Add a primitive', []);
  const numbers = printed
    .trim()
    .split('\n')
    .map((line) => [...line.matchAll(/\[([^\]]*)\]/g)].map(([, list]) => list!.split(',').map(Number)));
  expect(numbers).toHaveLength(2);
  for (const [found, exact] of numbers) for (const [at, value] of exact!.entries()) expect(found![at]).toBeCloseTo(value, 5);
  const softplus = [-3, 0.5, 2].map((x) => Math.log(1 + Math.exp(x)));
  expect(numbers[0]![1]![0]).toBeCloseTo(
    softplus.reduce((a, b) => a + b),
    10,
  );
});
