import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import * as t from '../../src/index.js';
import { kernelClassOf } from '../../src/run/engine-identity.js';
import { figuresIn } from '../../src/run/memory.js';
import { attention } from '../ops/attention.js';

test('released outputs give their memory back at once', async () => {
  const g = new t.GraphBuilder();
  const y = t.add(g.input('x', 'f32', ['n']), 1);
  const executable = await t.compile({ outputs: { y } });
  const x = new Float32Array(4 << 20);
  const results = await executable.run({ x });
  t.releaseTensors(Object.values(results));
  expect(results['y']!.data).toHaveLength(0);
  const before = t.memoryFigures().resident;
  for (let run = 0; run < 20; run++) t.releaseTensors(Object.values(await executable.run({ x })));
  expect(t.memoryFigures().resident - before).toBeLessThan(64 << 20);
  await executable.release();
});

test('the engine tells its build, kernels and threads', () => {
  const identity = t.engineIdentity(2);
  expect(identity.engine).toMatch(/^onnxruntime-node 1\.30\.0 /);
  expect(['avx512', 'avx2', 'avx', 'sse', 'neon']).toContain(identity.cpuKernelClass);
  expect(identity.threads).toBe(2);
  expect(kernelClassOf(new Set(['avx', 'avx2', 'fma', 'avx512f']))).toBe('avx2');
  expect(kernelClassOf(new Set(['avx', 'avx2', 'fma', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl']))).toBe('avx512');
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 60])('%d threads are refused by name', async (threads) => {
  const outputs = { y: t.add(new t.GraphBuilder().input('x', 'f32', ['n']), 1) };
  for (const engineInterface of ['native', 'node'] as const) {
    const compiled = t.compile({ outputs, threads, engineInterface });
    await expect(compiled).rejects.toThrow(new RangeError(`threads = ${threads}: it is a whole number from 1`));
  }
});

test('memory that the system does not tell of is asked elsewhere, or null', () => {
  const told = 'Name:\tnode\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\nRssAnon:\t     300 kB\n';
  expect(figuresIn(told)).toEqual({ peak: 2_048_000, resident: 1_024_000, anonymous: 307_200 });
  const gvisor = 'Name:\tnode\nVmSize:\t    9000 kB\nVmRSS:\t    1000 kB\n';
  expect(figuresIn(gvisor)).toEqual({ peak: expect.any(Number), resident: 1_024_000, anonymous: null });
  expect(figuresIn('').resident).toBeGreaterThan(1e7);
});

test('an empty TMPDIR is none: nothing is written where the process happens to be', async () => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = '';
  const executable = await t.compile({ outputs: { y: t.add(new t.GraphBuilder().input('x', 'f32', ['n']), 1) } });
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
  expect(readdirSync('.').filter((name) => name.startsWith('tunefleet-graph-'))).toEqual([]);
  await executable.release();
});

test('decoding with a cache of any length gives what one pass over all tokens gives', async () => {
  const [heads, width] = [2, 4];
  const build = (withCache: boolean): t.Executable | Promise<t.Executable> => {
    const g = new t.GraphBuilder();
    const input = (name: string): t.Value => g.input(name, 'f32', [heads, 'tokens', width]);
    const cached = (name: string, fresh: t.Value): t.Value =>
      withCache ? t.concat([g.input(`past.${name}`, 'f32', [heads, 'past', width]), fresh], 1) : fresh;
    const [q, k, v] = [input('q'), cached('k', input('k')), cached('v', input('v'))];
    const [queries, keys] = [q.shape[1]!, k.shape[1]!];
    const offset = withCache ? t.cast(t.size(g, 'past'), 'i32') : g.scalar(0, 'i32');
    const position = t.reshape(t.add(t.iota(g, queries), offset), [queries, 1]);
    const permitted = t.lessOrEqual(t.broadcastTo(t.iota(g, keys), [queries, keys]), position);
    return t.compile({ outputs: { y: attention(q, k, v, t.where(permitted, g.scalar(0, 'f32'), -1e30)) } });
  };
  const tokens = 5;
  const whole = Object.fromEntries(
    ['q', 'k', 'v'].map((name, seed) => [name, Float32Array.from({ length: heads * tokens * width }, (_, at) => Math.sin(at + seed * 7))]),
  ) as Record<'q' | 'k' | 'v', Float32Array>;
  const rows = (data: Float32Array, from: number, to: number): t.Tensor => ({
    data: Float32Array.from(
      [...Array(heads).keys()].flatMap((head) => [...data.subarray((head * tokens + from) * width, (head * tokens + to) * width)]),
    ),
    shape: [heads, to - from, width],
  });
  const [full, step] = [await build(false), await build(true)];
  const expected = (await full.run(Object.fromEntries(Object.entries(whole).map(([name, data]) => [name, rows(data, 0, tokens)]))))['y']!;
  for (const [from, to] of [
    [0, 3],
    [3, 4],
    [4, 5],
  ] as const) {
    const past = { 'past.k': rows(whole.k, 0, from), 'past.v': rows(whole.v, 0, from) };
    const found = await step.run({ q: rows(whole.q, from, to), k: rows(whole.k, from, to), v: rows(whole.v, from, to), ...past });
    const wanted = rows(expected.data as Float32Array, from, to);
    for (const [at, element] of wanted.data.entries()) expect(found['y']!.data[at]).toBeCloseTo(element, 5);
  }
  await full.release();
  await step.release();
});

test('views into one flat array are fed as they are: an update in place is seen by the next run', async () => {
  const g = new t.GraphBuilder();
  const [a, b] = [g.parameter('a', [3]), g.parameter('b', [2])];
  const executable = await t.compile({ outputs: { sum: t.add(t.reduceSum(a), t.mul(t.reduceSum(b), 10)) } });
  const flat = Float32Array.of(0, 1, 2, 3, 0, 4, 5);
  const feeds = { a: flat.subarray(1, 4), b: flat.subarray(5) };
  expect((await executable.run(feeds))['sum']!.data[0]).toBe(96);
  flat[6] = 6;
  expect((await executable.run(feeds))['sum']!.data[0]).toBe(106);
  await executable.release();
});

test('a row whose pairs are all forbidden gives finite numbers', async () => {
  const g = new t.GraphBuilder();
  const scores = g.input('scores', 'f32', [2, 3]);
  const probabilities = t.softmax(t.add(scores, g.constant(Float32Array.of(-1e30, -1e30, -1e30, 0, -1e30, 0), [2, 3])));
  const [gradient] = t.gradients(t.reduceSum(t.square(probabilities)), [scores]);
  const executable = await t.compile({ outputs: { probabilities, gradient } });
  const results = await executable.run({ scores: Float32Array.of(1, 2, 3, 1, 2, 1) });
  await executable.release();
  expect([...results['probabilities']!.data.subarray(3)]).toEqual([0.5, 0, 0.5]);
  expect([...results['probabilities']!.data, ...results['gradient']!.data].every(Number.isFinite)).toBe(true);
});

test.each(['native', 'node'] as const)('a profile names each node by its scope, in the order of execution: %s', async (engineInterface) => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-profile-'));
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', [4, 4]);
  const product = g.scope('first', () => t.matmul(x, x));
  const y = g.scope('second', () => t.exp(product));
  const executable = await t.compile({ outputs: { y }, profile: join(folder, 'run'), engineInterface });
  await executable.run({ x: new Float32Array(16) });
  await executable.release();
  const nodes = t.readProfile(join(folder, 'run'));
  rmSync(folder, { recursive: true });
  expect(nodes.map(({ node, operator }) => [node.split('/')[0], operator])).toEqual([
    ['first', 'MatMul'],
    ['second', 'Exp'],
  ]);
});
