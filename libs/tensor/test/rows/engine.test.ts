// The engine's threads run built files: imported by the package's name, as its users do.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  add,
  addMatmul,
  cachedAttention,
  evaluate,
  GraphBuilder,
  gather,
  linear,
  matmul,
  mul,
  RowEngine,
  reshape,
  rmsNorm,
  rope,
  silu,
  softmax,
  type Tensor,
  type Value,
} from '@tunefleet/tensor';

/** The package as built, for a process of its own. */
const BUILT = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);

const noise = (length: number, step: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(step * at + step));
/** The same, with the lower halves cut off. */
const halves = (length: number, step: number): Float32Array => {
  const numbers = noise(length, step);
  const bits = new Uint32Array(numbers.buffer);
  for (let at = 0; at < bits.length; at++) bits[at]! &= 0xffff0000;
  return numbers;
};

type Outputs = Record<string, Value>;

/** Largest difference from the float64 evaluator, and the bytes, on each of these numbers of threads. */
const compared = async (outputs: Outputs, feeds: Record<string, Tensor>, constants: Record<string, Tensor<Float32Array>> = {}) => {
  const exact = evaluate(outputs, { ...feeds, ...constants });
  const found: Record<string, Tensor<Float32Array>>[] = [];
  for (const threads of [1, 2, 3]) {
    const engine = new RowEngine({ threads });
    const executable = await engine.compile({ outputs, sizes: { tokens: 1 }, constants });
    await executable.run(feeds);
    const results = await executable.run(feeds);
    executable.release();
    await engine.release();
    for (const [name, { shape }] of Object.entries(exact)) expect(results[name]!.shape).toEqual(shape);
    found.push(results);
  }
  const bytes = found.map((results) => Object.values(results).map(({ data }) => Buffer.from(data.buffer).toString('hex')));
  const worst = Object.entries(exact).flatMap(([name, { data }]) =>
    [...data].map((wanted, at) => Math.abs(wanted - found[0]![name]!.data[at]!)),
  );
  return { worst: Math.max(...worst), bytes };
};

test.each([
  ['float32', noise, 37, 45],
  ['bfloat16', halves, 37, 45],
  ['float32 in whole units', noise, 64, 32],
  ['bfloat16 in whole units', halves, 64, 32],
  ['a single row', halves, 1, 1],
] as const)("products with %s weights are the evaluator's, on any number of threads", async (_, numbers, rows, columns) => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', columns]);
  const w = g.frozen('w', [rows, columns], { data: numbers(rows * columns, 0.7) });
  const c = g.input('c', 'f32', ['tokens', rows]);
  const outputs = { y: linear(x, w), sum: addMatmul(c, x, w, { transB: true }) };
  const feeds = { x: { data: noise(columns, 0.3), shape: [1, columns] }, c: { data: noise(rows, 1.3), shape: [1, rows] } };
  const { worst, bytes } = await compared(outputs, feeds);
  expect(worst).toBeLessThan(4e-6);
  expect(bytes[1]).toEqual(bytes[0]);
  expect(bytes[2]).toEqual(bytes[0]);
});

test.each([
  ['float32', noise],
  ['bfloat16', halves],
] as const)('a block over a table of %s: rows of it, norm, adapters, activation, product with the same table', async (_, numbers) => {
  const [rows, width, rank] = [21, 22, 3];
  const g = new GraphBuilder();
  const table = g.frozen('table', [rows, width], { data: numbers(rows * width, 0.7) });
  const x = gather(table, g.input('ids', 'i32', ['tokens']));
  const normed = rmsNorm(x, g.frozen('norm', [width], { data: noise(width, 0.2) }), 1e-5);
  const [a, b] = [g.input('a', 'f32', ['rank', width]), g.input('b', 'f32', [width, 'rank'])];
  const w = g.frozen('w', [width, width], { data: numbers(width * width, 0.9) });
  const adapted = add(linear(normed, w), matmul(matmul(normed, a, { transB: true }), b, { transB: true }));
  const outputs = { y: linear(add(x, mul(silu(adapted), normed)), table), adapted };
  const constants = {
    a: { data: noise(rank * width, 1.1), shape: [rank, width] },
    b: { data: noise(width * rank, 0.4), shape: [width, rank] },
  };
  const { worst, bytes } = await compared(outputs, { ids: { data: Int32Array.of(20), shape: [1] } }, constants);
  expect(worst).toBeLessThan(2e-5);
  expect(bytes[1]).toEqual(bytes[0]);
  expect(bytes[2]).toEqual(bytes[0]);
});

// 6: rows that WebAssembly's vectors do not fit; 8: single vectors; 32: four at once.
test.each([6, 8, 32])('reads a cache with heads of %d, and writes the new row into it', async (headSize) => {
  const [heads, keyValueHeads, filled, capacity] = [5, 5, 9, 16];
  const g = new GraphBuilder();
  const [cos, sin] = ['cos', 'sin'].map((name) => g.input(name, 'f32', ['tokens', headSize / 2]));
  const rows = (name: string, count: number) => g.input(name, 'f32', ['tokens', count * headSize]);
  const turned = (name: string, count: number) => rope(reshape(rows(name, count), [-1, count, headSize]), cos!, sin!);
  const past = (name: string) => g.input(name, 'f32', [1, keyValueHeads, 'past', headSize]);
  const { attended, keys, values } = cachedAttention(
    { heads, keyValueHeads, headSize },
    {
      q: turned('q', heads),
      k: turned('k', keyValueHeads),
      v: reshape(rows('v', keyValueHeads), [-1, keyValueHeads, headSize]),
      pastKeys: past('keys'),
      pastValues: past('values'),
      total: g.input('total', 'i32', []),
    },
  );
  const engine = new RowEngine({ threads: 2 });
  const cache = async (step: number) => {
    const data = (await engine.lend(keyValueHeads * capacity * headSize))!;
    data.set(noise(data.length, step));
    for (let at = 0; at < data.length; at++) if (Math.floor(at / headSize) % capacity >= filled) data[at] = Number.NaN; // never read
    return { data, shape: [1, keyValueHeads, capacity, headSize] };
  };
  const feeds = {
    q: { data: noise(heads * headSize, 0.7), shape: [1, heads * headSize] },
    k: { data: noise(keyValueHeads * headSize, 0.3), shape: [1, keyValueHeads * headSize] },
    v: { data: noise(keyValueHeads * headSize, 1.1), shape: [1, keyValueHeads * headSize] },
    cos: { data: noise(headSize / 2, 0.6), shape: [1, headSize / 2] },
    sin: { data: noise(headSize / 2, 0.8), shape: [1, headSize / 2] },
    keys: await cache(0.9),
    values: await cache(0.5),
    total: { data: Int32Array.of(filled + 1), shape: [] },
  };
  const outputs = { attended, grownKeys: keys, grownValues: values };
  const exact = evaluate(outputs, {
    ...feeds,
    keys: { ...feeds.keys, data: feeds.keys.data.slice() },
    values: { ...feeds.values, data: feeds.values.data.slice() },
  });
  const executable = await engine.compile({ outputs, sizes: { tokens: 1 } });
  const found = await executable.run(feeds);
  expect(Object.keys(found)).toEqual(['attended']);
  exact['attended']!.data.forEach((wanted, at) => {
    expect(found['attended']!.data[at]).toBeCloseTo(wanted, 5);
  });
  for (const [name, grown] of [
    ['keys', 'grownKeys'],
    ['values', 'grownValues'],
  ] as const) {
    exact[grown]!.data.forEach((wanted, at) => {
      if (Number.isNaN(wanted)) expect(feeds[name].data[at]).toBeNaN();
      else expect(feeds[name].data[at]).toBeCloseTo(wanted, 6);
    });
  }
  await expect(executable.run({ ...feeds, keys: { ...feeds.keys, data: feeds.keys.data.slice() } })).rejects.toThrow(
    '"keys" lies outside the engine\'s memory',
  );
  await engine.release();
});

test('what it cannot do is refused by the name of the operator, or of the feed', async () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', 8]);
  const w = g.input('w', 'f32', [8, 8]);
  const engine = new RowEngine({ threads: 1 });
  const sizes = { tokens: 1 };
  await expect(engine.compile({ outputs: { y: softmax(x) }, sizes })).rejects.toThrow('softmax has no kernel of one row');
  await expect(engine.compile({ outputs: { y: linear(x, w) }, sizes })).rejects.toThrow(
    'matmul of one row: needs x W^T of a W that does not change',
  );
  await expect(
    engine.compile({ outputs: { y: linear(x, g.frozen('f', [3, 8], { data: noise(24, 1) })) }, sizes: { tokens: 2 } }),
  ).rejects.toThrow('needs one row');
  await expect(engine.compile({ outputs: { y: add(x, g.frozen('b', [8], { data: noise(8, 1) })) }, sizes: { tokens: 2 } })).rejects.toThrow(
    'operands of one size',
  );
  const executable = await engine.compile({ outputs: { y: add(x, x) }, sizes });
  await expect(executable.run({})).rejects.toThrow('input "x" was not fed');
  await expect(executable.run({ x: { data: noise(7, 1), shape: [1, 7] } })).rejects.toThrow('"x" has 7 elements, not 8');
  const x8 = { data: noise(8, 1), shape: [1, 8] };
  expect((await executable.run({ x: x8 }))['y']!.data).toEqual(x8.data.map((element) => 2 * element));
  await engine.release();
  await expect(executable.run({ x: x8 })).rejects.toThrow('released');
});

test('memory that is given back is lent again; beyond 4 GiB there is none', async () => {
  const engine = new RowEngine({ threads: 1 });
  const first = (await engine.lend(100_000))!;
  engine.takeBack(first);
  const second = (await engine.lend(90_000))!;
  expect(second.byteOffset).toBe(first.byteOffset);
  const third = (await engine.lend(90_000))!;
  expect(third.byteOffset).not.toBe(first.byteOffset);
  expect([first, second, third].every((data) => engine.holds(data))).toBe(true);
  expect(engine.holds(new Float32Array(8))).toBe(false);
  expect(await engine.lend(2 ** 30)).toBeNull();
  expect(await engine.lend(8)).not.toBeNull();
  await engine.release();
});

test('a thread that fails ends the others, which would wait for it; runs are refused from then on', async () => {
  const g = new GraphBuilder();
  const table = g.frozen('table', [4, 8], { data: noise(32, 1) });
  const row = gather(table, g.input('ids', 'i32', ['tokens']));
  const engine = new RowEngine({ threads: 2 });
  const executable = await engine.compile({ outputs: { y: linear(row, table) }, sizes: { tokens: 1 } });
  const ids = (id: number) => ({ ids: { data: Int32Array.of(id), shape: [1] } });
  await executable.run(ids(3));
  await expect(executable.run(ids(4))).rejects.toThrow('gather: id 4 is outside 0..3');
  await expect(executable.run(ids(3))).rejects.toThrow('gather: id 4 is outside 0..3');
  await engine.release();
});

test('an engine that does nothing keeps no process alive', () => {
  const script = `import { RowEngine } from ${BUILT}; await new RowEngine({ threads: 3 }).lend(1);`;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 20_000 });
  expect(status).toBe(0);
});

test('weights are read from files, once for several graphs; an engine that was not released keeps no process alive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-rows-'));
  writeFileSync(join(folder, 'weights'), new Uint8Array([1, 2, 3, 4, ...new Uint8Array(noise(96, 0.7).buffer)]));
  const script = `
    import { GraphBuilder, linear, RowEngine } from ${BUILT};
    import { rmSync } from 'node:fs';
    const file = ${JSON.stringify(join(folder, 'weights'))};
    const engine = new RowEngine({ threads: 3 });
    const run = async (offset) => {
      const g = new GraphBuilder();
      const y = linear(g.input('x', 'f32', ['tokens', 8]), g.frozen('w', [12, 8], { file, offset }));
      const executable = await engine.compile({ outputs: { y }, sizes: { tokens: 1 } });
      return (await executable.run({ x: { data: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0), shape: [1, 8] } })).y.data;
    };
    const first = await run(4);
    rmSync(file);
    console.log(JSON.stringify([[...first], [...(await run(4))]]));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  rmSync(folder, { recursive: true });
  expect([status, stderr]).toEqual([0, '']);
  const column = Array.from({ length: 12 }, (_, row) => noise(96, 0.7)[8 * row]);
  expect(JSON.parse(stdout)).toEqual([column, column]);
});

test('weights that are all bfloat16 numbers take half the bytes', async () => {
  const bytesOf = async (numbers: (length: number, step: number) => Float32Array): Promise<number> => {
    const g = new GraphBuilder();
    const y = linear(g.input('x', 'f32', ['tokens', 512]), g.frozen('w', [1024, 512], { data: numbers(512 * 1024, 0.7) }));
    const engine = new RowEngine({ threads: 1 });
    await engine.compile({ outputs: { y }, sizes: { tokens: 1 } });
    const next = (await engine.lend(1))!.byteOffset;
    await engine.release();
    return next;
  };
  const [whole, half] = [await bytesOf(noise), await bytesOf(halves)];
  expect(whole - half).toBe(2 * 512 * 1024);
});

test('two bytes a weight or four: the same bytes', async () => {
  const [rows, columns] = [9, 29];
  const row = async (count: number, data: Float32Array): Promise<Float32Array> => {
    const g = new GraphBuilder();
    const y = linear(g.input('x', 'f32', ['tokens', columns]), g.frozen('w', [count, columns], { data }));
    const engine = new RowEngine({ threads: 2 });
    const executable = await engine.compile({ outputs: { y }, sizes: { tokens: 1 } });
    const found = await executable.run({ x: { data: noise(columns, 0.3), shape: [1, columns] } });
    await engine.release();
    return found['y']!.data.subarray(0, rows);
  };
  const weights = halves(rows * columns, 0.7);
  // One row more that needs four bytes: then all of the matrix has them.
  const among = new Float32Array([...weights, ...noise(columns, 0.9)]);
  expect(await row(rows + 1, among)).toEqual(await row(rows, weights));
});
