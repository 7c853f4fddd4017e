import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { GraphBuilder, graphOf, lower, relu } from '../../src/index.js';

const passes = (): string[] => {
  const names: string[] = [];
  lower(graphOf({ y: relu(new GraphBuilder().input('x', 'f32', [2])) }), 'cpu', (name) => names.push(name));
  return names;
};
const hasTest = (stage: string, name: string): boolean => existsSync(new URL(`../${stage}/${name}.test.ts`, import.meta.url));

test('each pass is one file with one test', () => {
  const [built, ...names] = passes();
  expect(built).toBe('building');
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect([name, existsSync(new URL(`../../src/passes/${name}.ts`, import.meta.url))]).toEqual([name, true]);
    expect([name, hasTest('passes', name)]).toEqual([name, true]);
  }
});

test('so is each step of autodiff before the passes, and each of writing ONNX after them', () => {
  const autodiff = readdirSync(new URL('../../src/autodiff', import.meta.url)).map((file) => file.replace('.ts', ''));
  expect(autodiff.length).toBeGreaterThan(0);
  for (const name of autodiff) expect([name, hasTest('autodiff', name)]).toEqual([name, true]);
  for (const name of ['emit', 'simplify', 'onnx-proto']) expect([name, hasTest('emit', name)]).toEqual([name, true]);
});
