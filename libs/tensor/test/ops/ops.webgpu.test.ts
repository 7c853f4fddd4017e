import { expect } from '@jest/globals';
import { webgpu } from '../../../../tools/jest/webgpu.js';
import * as t from '../../src/index.js';
import { CASES } from './op-cases.js';
import { caseOf, expectEngine, fixtures } from './op-suite.js';

/** Float32 without a promise on the last places; Vulkan gives sin and cos an absolute error of 2^-11. */
const TOLERANCE = 1e-4;
const TOLERANCES: Readonly<Record<string, number>> = { sin: 2 ** -11, cos: 2 ** -11 };

const isEmpty = (name: string): boolean =>
  [fixtures[name]!.output, ...Object.values(fixtures[name]!.inputs)].some(({ shape }) => shape.includes(0));
const names = Object.keys(CASES).filter((name) => !isEmpty(name));

for (const name of names) {
  webgpu(name, async () => {
    await expectEngine(caseOf(name), { provider: 'webgpu' }, TOLERANCES[name] ?? TOLERANCE);
  });
}

webgpu('tensors without elements, on which kernels would end the process, are refused by name', async () => {
  const g = new t.GraphBuilder();
  const executable = await t.compile({ outputs: { y: t.add(g.input('x', 'f32', ['n']), 1) }, provider: 'webgpu' });
  await expect(executable.run({ x: new Float32Array(0) })).rejects.toThrow(/"x" \[0\] has no elements: the provider webgpu/);
  await executable.release();
});
