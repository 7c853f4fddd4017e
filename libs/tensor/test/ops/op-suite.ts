import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import * as t from '../../src/index.js';
import { CASES, type Case, type Inputs } from './op-cases.js';

interface Written {
  readonly shape: number[];
  readonly data: number[];
}
interface Fixture {
  readonly inputs: Record<string, Written & { dtype: 'f32' | 'i32' }>;
  readonly cotangent: Written;
  readonly output: Written;
  readonly gradients: Record<string, Written>;
}
// Made by make_ops.py with PyTorch in float64.
export const fixtures = JSON.parse(readFileSync(new URL('../fixtures/ops.json', import.meta.url), 'utf8')) as Record<string, Fixture>;

/** Everything of one case that is compared: its graph, float64 feeds, what the float64 evaluator makes of them. */
export interface OpCase {
  outputs: Record<string, t.Value>;
  /** inputs that get a gradient */
  inputs: readonly t.Value[];
  fixture: Fixture;
  kink: boolean;
  feeds: Record<string, t.NdArray | t.Tensor>;
}

export const caseOf = (name: string): OpCase => {
  const row = CASES[name]!;
  const { build, shapes = {}, kink = false }: Case = typeof row === 'function' ? { build: row } : row;
  const fixture = fixtures[name]!;
  const g = new t.GraphBuilder();
  const values = Object.fromEntries(
    Object.entries(fixture.inputs).map(([key, { dtype, shape }]) => [key, g.input(key, dtype, shapes[key] ?? shape)]),
  );
  const output = build(values as Inputs);
  const loss = t.reduceSum(t.mul(output, g.input('cotangent', 'f32', output.shape)));
  const names = Object.keys(fixture.gradients);
  const inputs = names.map((key) => values[key]!);
  const found = t.gradients(loss, inputs);
  const outputs = { output, loss, ...Object.fromEntries(names.map((key, at) => [`d ${key}`, found[at]!])) };
  return { outputs, inputs, fixture, kink, feeds: exactFeeds(fixture) };
};

const exactFeeds = (fixture: Fixture): OpCase['feeds'] =>
  Object.fromEntries(
    Object.entries({ ...fixture.inputs, cotangent: { ...fixture.cotangent, dtype: 'f32' } }).map(([name, { shape, data, dtype }]) => [
      name,
      dtype === 'i32' ? { shape, data: Int32Array.from(data) } : { shape, data: Float64Array.from(data) },
    ]),
  );

type Numbers = ArrayLike<number>;
const expectClose = (found: Numbers, expected: Numbers, tolerance: number, what: string): void => {
  expect([what, found.length]).toEqual([what, expected.length]);
  for (let at = 0; at < expected.length; at++) {
    const error = Math.abs(found[at]! - expected[at]!) / Math.max(1, Math.abs(expected[at]!));
    if (!(error <= tolerance)) throw new Error(`${what}[${at}]: ${found[at]} instead of ${expected[at]}`);
  }
};

/** Central differences of the loss, element by element. */
const differences = ({ outputs, feeds }: OpCase, name: string): number[] => {
  const { shape, data } = feeds[name] as t.NdArray;
  const lossAt = (at: number, step: number): number => {
    const moved = Float64Array.from(data);
    moved[at]! += step;
    return t.evaluate({ loss: outputs['loss']! }, { ...feeds, [name]: { shape, data: moved } })['loss']!.data[0]!;
  };
  return Array.from(data, (_, at) => (lossAt(at, 1e-5) - lossAt(at, -1e-5)) / 2e-5);
};

/** The float64 meaning of a case against PyTorch's float64 and, of gradients, finite differences. */
export const expectMeaning = (one: OpCase): void => {
  const { fixture } = one;
  const exact = t.evaluate(one.outputs, one.feeds);
  expect(exact['output']!.shape).toEqual(fixture.output.shape);
  expectClose(exact['output']!.data, fixture.output.data, 1e-10, 'float64 output against PyTorch');
  for (const [input, gradient] of Object.entries(fixture.gradients)) {
    expectClose(exact[`d ${input}`]!.data, gradient.data, 1e-10, `float64 gradient of ${input} against PyTorch`);
    if (!one.kink) expectClose(differences(one, input), gradient.data, 1e-6, `finite differences of ${input}`);
  }
};

/** A case compiled for ONNX Runtime against its float64 meaning. The default tolerance is 40 units in the last place of 1. */
export const expectEngine = async (one: OpCase, settings: t.SessionSettings, tolerance = 5e-6): Promise<void> => {
  const exact = t.evaluate(one.outputs, one.feeds);
  const float32 = (data: t.NdArray['data'] | t.TensorData): t.TensorData => (data instanceof Float64Array ? Float32Array.from(data) : data);
  const fed = Object.fromEntries(Object.entries(one.feeds).map(([key, { shape, data }]) => [key, { shape, data: float32(data) }]));
  const executable = await t.compile({ outputs: one.outputs, ...settings });
  const found = await executable.run(fed);
  await executable.release();
  for (const key of Object.keys(one.outputs)) {
    expect([key, found[key]!.shape]).toEqual([key, exact[key]!.shape]);
    expectClose(found[key]!.data, exact[key]!.data, tolerance, `ONNX Runtime's ${key}, ${JSON.stringify(settings)}`);
  }
};
