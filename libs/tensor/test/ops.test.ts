import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as t from '../src/index.js';
import { PRIMITIVES } from '../src/ops/table.js';
import { attention } from './attention.js';

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
const fixtures = JSON.parse(readFileSync(new URL('./fixtures/ops.json', import.meta.url), 'utf8')) as Record<string, Fixture>;

type Inputs = Record<'a' | 'b' | 'i' | 'x' | 'y' | 'w' | 't' | 'u' | 'q' | 'k' | 'v' | 'bias' | 'cos' | 'sin', t.Value>;
interface Case {
  build: (inputs: Inputs) => t.Value;
  /** Shapes with names for sizes, of the inputs that have them. */
  shapes?: Record<string, t.Shape>;
  /** At a kink, finite differences mean nothing. */
  kink?: boolean;
}
const table = (x: t.Value): t.Value => t.cast(t.iota(x.builder, x.shape.at(-1)!), 'f32');

const cases: Record<string, Case['build'] | Case> = {
  add: ({ a, b }) => t.add(a, b),
  'add a row': { build: ({ a, b }) => t.add(a, b), shapes: { a: ['batch', 'rows', 5] } },
  'add a column and a row': ({ a, b }) => t.add(a, b),
  'add a number': ({ a }) => t.add(a, 2.5),
  'add twice the same': ({ a }) => t.add(a, a),
  'add nothing': { build: ({ a, b }) => t.add(a, b), shapes: { a: ['rows', 5] } },
  'sub a scalar': ({ a, b }) => t.sub(a, b),
  'sub from a number': ({ a }) => t.sub(1, a),
  mul: ({ a, b }) => t.mul(a, b),
  'mul by itself': ({ a }) => t.mul(a, a),
  div: ({ a, b }) => t.div(a, b),
  'div a number': ({ a }) => t.div(3, a),
  maximum: ({ a, b }) => t.maximum(a, b),
  minimum: ({ a, b }) => t.minimum(a, b),
  'maximum of equals': { build: ({ a, b }) => t.maximum(a, b), kink: true },
  neg: ({ x }) => t.neg(x),
  abs: ({ x }) => t.abs(x),
  'abs of zero': { build: ({ x }) => t.abs(x), kink: true },
  exp: ({ x }) => t.exp(x),
  log: ({ x }) => t.log(x),
  sqrt: ({ x }) => t.sqrt(x),
  reciprocal: ({ x }) => t.reciprocal(x),
  rsqrt: ({ x }) => t.rsqrt(x),
  square: ({ x }) => t.square(x),
  sin: ({ x }) => t.sin(x),
  cos: ({ x }) => t.cos(x),
  erf: ({ x }) => t.erf(x),
  tanh: ({ x }) => t.tanh(x),
  sigmoid: ({ x }) => t.sigmoid(x),
  relu: ({ x }) => t.relu(x),
  silu: { build: ({ x }) => t.silu(x), shapes: { x: ['n'] } },
  gelu: ({ x }) => t.gelu(x),
  'gelu of one row': ({ x }) => t.gelu(x),
  geluTanh: ({ x }) => t.geluTanh(x),
  'silu of nothing': { build: ({ x }) => t.silu(x), shapes: { x: ['n'] } },
  stopGradient: { build: ({ x }) => t.mul(x, t.stopGradient(x)), kink: true },
  where: ({ a, b }) => t.where(t.less(a, b), t.mul(a, 2), b),
  'where by integers': ({ a, i }) => t.where(t.equal(i, 1), a, 0),
  'and, or, not': ({ a }) => t.where(t.or(t.and(t.less(a, 1), t.not(t.less(a, -1))), t.greaterOrEqual(a, 1.5)), a, t.neg(a)),
  'greater, lessOrEqual': ({ a, b }) => t.where(t.and(t.greater(a, b), t.lessOrEqual(a, t.add(b, 1))), a, b),
  'cast a mask': ({ a, b }) => t.mul(t.cast(t.greaterOrEqual(a, b), 'f32'), a),
  'cast integers': ({ a, i }) => t.mul(a, t.cast(i, 'f32')),
  matmul: ({ a, b }) => t.matmul(a, b),
  'matmul transA': { build: ({ a, b }) => t.matmul(a, b, { transA: true }), shapes: { a: ['n', 3], b: ['n', 5] } },
  'matmul transB': { build: ({ a, b }) => t.matmul(a, b, { transB: true }), shapes: { a: ['n', 4] } },
  'matmul transA transB': ({ a, b }) => t.matmul(a, b, { transA: true, transB: true }),
  'matmul one row': ({ a, b }) => t.matmul(a, b),
  'matmul inner 1': ({ a, b }) => t.matmul(a, b),
  'matmul no rows': { build: ({ a, b }) => t.matmul(a, b), shapes: { a: ['n', 4] } },
  'matmul batch': ({ a, b }) => t.matmul(a, b),
  'matmul batch transB': ({ a, b }) => t.matmul(a, b, { transB: true }),
  'matmul batch transA': ({ a, b }) => t.matmul(a, b, { transA: true }),
  'matmul batch by one': { build: ({ a, b }) => t.matmul(a, b), shapes: { a: ['m', 'n', 4] } },
  'matmul batch by one transB': ({ a, b }) => t.matmul(a, b, { transB: true }),
  'matmul batch by one transA': ({ a, b }) => t.matmul(a, b, { transA: true }),
  'matmul one by batch': ({ a, b }) => t.matmul(a, b),
  'matmul broadcast batch': ({ a, b }) => t.matmul(a, b),
  'matmul of transposes': ({ a, b }) => t.matmul(t.transpose(a), t.transpose(b)),
  'matmul scaled': ({ a, b }) => t.mul(t.matmul(a, b), 0.125),
  linear: { build: ({ x, w, b }) => t.linear(x, w, b), shapes: { x: ['m', 'n', 4] } },
  reduceSum: { build: ({ x }) => t.reduceSum(x), shapes: { x: ['n', 4] } },
  'reduceSum rows': ({ x }) => t.reduceSum(x, [-1]),
  'reduceSum two axes kept': ({ x }) => t.reduceSum(x, [0, 2], { keepDims: true }),
  'reduceSum of nothing': { build: ({ x }) => t.reduceSum(x, [0]), shapes: { x: ['n', 4] } },
  reduceMean: { build: ({ x }) => t.reduceMean(x), shapes: { x: ['n', 4] } },
  'reduceMean rows': ({ x }) => t.reduceMean(x, [-1], { keepDims: true }),
  reduceMax: ({ x }) => t.reduceMax(x, [-1]),
  'reduceMax of equals': { build: ({ x }) => t.reduceMax(x, [-1]), kink: true },
  argMax: ({ x }) => t.mul(t.cast(t.argMax(x), 'f32'), t.reduceSum(x, [-1])),
  reshape: ({ x }) => t.mul(t.reshape(x, [4, -1]), t.reshape(t.cast(t.iota(x.builder, 12), 'f32'), [4, 3])),
  transpose: ({ x }) => t.transpose(x),
  'transpose heads': { build: ({ x }) => t.transpose(x, [1, 0, 2]), shapes: { x: ['n', 2, 4] } },
  broadcastTo: ({ x }) => t.broadcastTo(x, [3, 2, 4]),
  slice: ({ x }) => t.slice(x, -1, 1, 3),
  'slice nothing': ({ x }) => t.slice(x, 0, 2, 2),
  pad: { build: ({ x }) => t.pad(x, 0, 1, 2), shapes: { x: ['n', 3] } },
  concat: { build: ({ a, b }) => t.concat([a, b, a], 1), shapes: { a: [2, 'm'], b: [2, 'n'] } },
  'concat with nothing': { build: ({ a, b }) => t.concat([a, b], 0), shapes: { a: ['m', 3], b: ['n', 3] } },
  gather: ({ t: rows, i }) => t.gather(rows, i),
  'gather repeated': { build: ({ t: rows, i }) => t.gather(rows, i), shapes: { t: ['rows', 3], i: ['n'] } },
  'gather by a matrix': { build: ({ t: rows, i }) => t.gather(rows, i), shapes: { i: ['m', 'n'] } },
  'gather scalars': ({ t: rows, i }) => t.gather(rows, i),
  'gather nothing': { build: ({ t: rows, i }) => t.gather(rows, i), shapes: { i: ['n'] } },
  scatterAddRows: ({ u, i }) => t.scatterAddRows(4, i, u),
  pick: { build: ({ x, i }) => t.pick(x, i), shapes: { x: ['n', 4], i: ['n'] } },
  'pick from a batch': ({ x, i }) => t.pick(x, i),
  iota: ({ x }) => t.mul(x, table(x)),
  size: { build: ({ x }) => t.div(t.reduceSum(x), t.size(x.builder, 'n')), shapes: { x: ['n'] } },
  softmax: ({ x }) => t.softmax(x),
  'softmax of one': ({ x }) => t.softmax(x),
  softmaxMatmul: ({ x, v }) => t.softmaxMatmul(x, v),
  'softmax far out': ({ x }) => t.softmax(x),
  logSoftmax: { build: ({ x }) => t.logSoftmax(x), shapes: { x: ['m', 'n', 5] } },
  crossEntropy: { build: ({ x, i }) => t.crossEntropy(x, i), shapes: { x: ['n', 6], i: ['n'] } },
  rmsNorm: { build: ({ x, w }) => t.rmsNorm(x, w, 1e-5), shapes: { x: ['n', 8] } },
  'rmsNorm of heads': ({ x, w }) => t.rmsNorm(x, w, 1e-5),
  layerNorm: { build: ({ x, w, b }) => t.layerNorm(x, w, b, 1e-5), shapes: { x: ['n', 6] } },
  'layerNorm of a batch': ({ x, w, b }) => t.layerNorm(x, w, b, 1e-5),
  rope: { build: ({ x, cos, sin }) => t.rope(x, cos, sin), shapes: { x: ['n', 2, 8], cos: ['n', 4], sin: ['n', 4] } },
  attention: {
    build: ({ q, k, v, bias }) => attention(q, k, v, bias),
    shapes: { q: [2, 'n', 4], k: [2, 'keys', 4], v: [2, 'keys', 4], bias: ['n', 'keys'] },
  },
  'attention grouped': {
    build: ({ q, k, v, bias }) => attention(q, k, v, bias),
    shapes: { q: [6, 'n', 4], k: [2, 'n', 4], v: [2, 'n', 4], bias: ['n', 'n'] },
  },
  'slice the last row': { build: ({ x }) => t.slice(x, 0, 'n-1', 'n'), shapes: { x: ['n', 3] } },
  'slice by a sum': { build: ({ a, b }) => t.slice(t.concat([a, b], 0), 0, 'm', 'm+n'), shapes: { a: ['m', 3], b: ['n', 3] } },
  'broadcastTo a length': { build: ({ x, y }) => t.mul(t.broadcastTo(x, ['n', 3]), y), shapes: { y: ['n', 1] } },
  'softmax over a length': { build: ({ x }) => t.softmax(x), shapes: { x: [2, 'n'] } },
  'reshape into two lengths': { build: ({ x, y }) => t.mul(t.reshape(x, ['m', 'n', 4]), y), shapes: { x: ['m*n', 4], y: ['m', 'n', 1] } },
};

test('every primitive has a case', () => {
  const used = new Set(
    Object.entries(cases).flatMap(([name, row]) => {
      const outputs = graphOfCase(fixtures[name]!, typeof row === 'function' ? { build: row } : row);
      return t.graphOf(outputs).values.map(({ op }) => op.name);
    }),
  );
  // frozen: in weights.test.ts; 4-bit matrices: in int4.test.ts
  const elsewhere = ['frozen', 'frozenInt4', 'dequantize', 'int4Linear'];
  expect(PRIMITIVES.map(({ name }) => name).filter((name) => !elsewhere.includes(name) && !used.has(name))).toEqual([]);
});

test('every fixture has a case and every case a fixture', () => {
  expect(Object.keys(cases).sort()).toEqual(Object.keys(fixtures).sort());
});

type Numbers = ArrayLike<number>;
const expectClose = (found: Numbers, expected: Numbers, tolerance: number, what: string): void => {
  expect([what, found.length]).toEqual([what, expected.length]);
  for (let at = 0; at < expected.length; at++) {
    const error = Math.abs(found[at]! - expected[at]!) / Math.max(1, Math.abs(expected[at]!));
    if (!(error <= tolerance)) throw new Error(`${what}[${at}]: ${found[at]} instead of ${expected[at]}`);
  }
};

type Exact = Record<string, t.NdArray | t.Tensor>;
const exactFeeds = (fixture: Fixture): Exact =>
  Object.fromEntries(
    Object.entries({ ...fixture.inputs, cotangent: { ...fixture.cotangent, dtype: 'f32' } }).map(([name, { shape, data, dtype }]) => [
      name,
      dtype === 'i32' ? { shape, data: Int32Array.from(data) } : { shape, data: Float64Array.from(data) },
    ]),
  );

const graphOfCase = ({ inputs, gradients }: Fixture, { build, shapes = {} }: Case): Record<string, t.Value> => {
  const g = new t.GraphBuilder();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }]) => [name, g.input(name, dtype, shapes[name] ?? shape)]),
  );
  const output = build(values as Inputs);
  const loss = t.reduceSum(t.mul(output, g.input('cotangent', 'f32', output.shape)));
  const names = Object.keys(gradients);
  const found = t.gradients(
    loss,
    names.map((name) => values[name]!),
  );
  return { output, loss, ...Object.fromEntries(names.map((name, at) => [`d ${name}`, found[at]!])) };
};

/** Central differences of the loss, element by element. */
const differences = (outputs: Record<string, t.Value>, feeds: Exact, name: string): number[] => {
  const { shape, data } = feeds[name] as t.NdArray;
  const lossAt = (at: number, step: number): number => {
    const moved = Float64Array.from(data);
    moved[at]! += step;
    return t.evaluate({ loss: outputs['loss']! }, { ...feeds, [name]: { shape, data: moved } })['loss']!.data[0]!;
  };
  return Array.from(data, (_, at) => (lossAt(at, 1e-5) - lossAt(at, -1e-5)) / 2e-5);
};

test.each(Object.keys(cases))('%s', async (name) => {
  const row = cases[name]!;
  const entry: Case = typeof row === 'function' ? { build: row } : row;
  const fixture = fixtures[name]!;
  const feeds = exactFeeds(fixture);
  const outputs = graphOfCase(fixture, entry);
  const exact = t.evaluate(outputs, feeds);
  expect(exact['output']!.shape).toEqual(fixture.output.shape);
  expectClose(exact['output']!.data, fixture.output.data, 1e-10, 'float64 output against PyTorch');
  for (const [input, gradient] of Object.entries(fixture.gradients)) {
    expectClose(exact[`d ${input}`]!.data, gradient.data, 1e-10, `float64 gradient of ${input} against PyTorch`);
    if (!entry.kink) expectClose(differences(outputs, feeds, input), gradient.data, 1e-6, `finite differences of ${input}`);
  }
  const float32 = (data: t.NdArray['data'] | t.TensorData): t.TensorData => (data instanceof Float64Array ? Float32Array.from(data) : data);
  const fed = Object.fromEntries(Object.entries(feeds).map(([key, { shape, data }]) => [key, { shape, data: float32(data) }]));
  for (const threads of [1, 2]) {
    const executable = await t.compile({ outputs, threads });
    const found = await executable.run(fed);
    await executable.release();
    for (const key of Object.keys(outputs)) {
      expect([key, found[key]!.shape]).toEqual([key, exact[key]!.shape]);
      expectClose(found[key]!.data, exact[key]!.data, 5e-6, `ONNX Runtime's ${key} on ${threads} threads`);
    }
  }
});
