import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  compile,
  dequantizeInt4,
  evaluate,
  GraphBuilder,
  gradients,
  type Int4Matrix,
  int4Blocks,
  linear,
  mul,
  quantizeInt4,
  readProfile,
  reduceSum,
  tanh,
  type Value,
} from '../../src/index.js';

/** What gguf's reference quantizer said (fixtures/make_int4.py). */
const fixture = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/int4.json'), 'utf8')) as {
  rows: number;
  columns: number;
  weights: number[];
  q4_0: string;
  dequantized: number[];
};

const noise = (length: number, step: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(step * at));

/** Codes of a block of Q4_0: byte j holds element j below and element j + 16 above. */
const codesOfQ40 = (bytes: Uint8Array): number[] => [...[...bytes].map((byte) => byte & 0xf), ...[...bytes].map((byte) => byte >> 4)];

test('codes and scales are those of the reference quantizer, bit by bit', () => {
  const { rows, columns, weights, q4_0, dequantized } = fixture;
  const found = quantizeInt4(Float32Array.from(weights), rows, columns);
  const blocks = [...Buffer.from(q4_0, 'hex')];
  const wanted = Array.from({ length: blocks.length / 18 }, (_, at) =>
    codesOfQ40(Uint8Array.from(blocks.slice(18 * at + 2, 18 * at + 18))),
  );
  expect([...found.codes].flatMap((byte) => [byte & 0xf, byte >> 4])).toEqual(wanted.flat());
  expect([...dequantizeInt4(found, rows, columns)].map((x) => x + 0)).toEqual(dequantized.map((x) => x + 0));
});

test('numbers that a block can hold come back exactly; what half precision cannot scale is refused', () => {
  const { rows, columns, weights } = fixture;
  const once = dequantizeInt4(quantizeInt4(Float32Array.from(weights), rows, columns), rows, columns);
  const again = dequantizeInt4(quantizeInt4(once, rows, columns), rows, columns);
  expect([...again].map((x) => x + 0)).toEqual([...once].map((x) => x + 0)); // -0 is 0
  expect(() => quantizeInt4(new Float32Array(32).fill(1e6), 1, 32)).toThrow('65504');
});

/** y = x W^T over a matrix in 4-bit blocks, its loss and the gradient of x. */
const product = (matrix: Int4Matrix, rows: number, columns: number) => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['n', columns]);
  const w = g.frozenInt4('w', [rows, columns], { codes: { data: matrix.codes }, scales: { data: matrix.scales } });
  const y = linear(x, w);
  const loss = reduceSum(mul(y, g.input('cotangent', 'f32', ['n', rows])));
  return { y, dx: gradients(loss, [x])[0] };
};

// 40, 17 and 33 columns: a last block that is not full, of an odd length, of one.
test.each([
  [64, 32, 5],
  [6, 40, 3],
  [3, 17, 1],
  [5, 33, 7],
  [48, 96, 1],
])('a product with [%i, %i] and its gradient are those of the dequantized matrix, %i rows', async (rows, columns, tokens) => {
  const matrix = quantizeInt4(noise(rows * columns, 0.7), rows, columns);
  expect(matrix.scales).toHaveLength(rows * int4Blocks(columns));
  const weights = dequantizeInt4(matrix, rows, columns);
  const feeds = { x: noise(tokens * columns, 0.3), cotangent: noise(tokens * rows, 0.9) };
  const outputs = product(matrix, rows, columns);
  const exact = evaluate(outputs, feeds);
  for (let n = 0; n < tokens; n++) {
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += feeds.x[n * columns + k]! * weights[row * columns + k]!;
      expect(exact['y']!.data[n * rows + row]).toBeCloseTo(sum, 12);
    }
    for (let k = 0; k < columns; k++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += feeds.cotangent[n * rows + row]! * weights[row * columns + k]!;
      expect(exact['dx']!.data[n * columns + k]).toBeCloseTo(sum, 12);
    }
  }
  for (const threads of [1, 2]) {
    for (const prepacking of [true, false]) {
      const executable = await compile({ outputs, threads, prepacking });
      const found = await executable.run(feeds);
      await executable.release();
      for (const name of ['y', 'dx'] as const) {
        for (const [at, wanted] of exact[name]!.data.entries()) expect(found[name]!.data[at]).toBeCloseTo(wanted, 4);
      }
    }
  }
});

test('4-bit matrices meet only products', () => {
  const g = new GraphBuilder();
  const w = g.frozenInt4('w', [2, 32], { codes: { data: new Uint8Array(32) }, scales: { data: new Float32Array(2) } });
  expect(() => linear(g.input('x', 'f32', ['n', 31]), w)).toThrow('must end in 32');
  expect(() => mul(w, 2)).toThrow();
});

/** The operators that one run executed, in order, from ONNX Runtime's own profile. */
const executed = async (outputs: Record<string, Value>, feeds: Record<string, Float32Array>): Promise<string[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-profile-'));
  const profile = join(folder, 'run');
  const executable = await compile({ outputs, profile });
  await executable.run(feeds);
  await executable.release();
  const operators = readProfile(profile).map(({ operator }) => operator);
  rmSync(folder, { recursive: true });
  return operators;
};

test('each backward product dequantizes for itself, when its turn has come: never the whole model at once', async () => {
  const g = new GraphBuilder();
  const size = 64;
  const x = g.input('x', 'f32', ['n', size]);
  let y = x;
  for (let layer = 0; layer < 3; layer++) {
    const { codes, scales } = quantizeInt4(noise(size * size, 0.1 + layer), size, size);
    y = tanh(linear(y, g.frozenInt4(`w${layer}`, [size, size], { codes: { data: codes }, scales: { data: scales } })));
  }
  const loss = reduceSum(mul(y, y));
  const operators = await executed({ loss, dx: gradients(loss, [x])[0] }, { x: noise(5 * size, 0.3) });
  const products = operators.filter((name) => /^(MatMulNBits|DequantizeLinear|MatMul|FusedMatMul)$/.test(name));
  expect(products).toEqual([
    ...['MatMulNBits', 'MatMulNBits', 'MatMulNBits'],
    ...['DequantizeLinear', 'MatMul', 'DequantizeLinear', 'MatMul', 'DequantizeLinear', 'MatMul'],
  ]);
});
