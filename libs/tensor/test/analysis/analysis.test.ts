import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Arena } from '../../src/analysis/arena.js';
import { planBuffers } from '../../src/analysis/buffers.js';
import { countedAs } from '../../src/analysis/work.js';
import * as t from '../../src/index.js';
import { PRIMITIVES } from '../../src/ops/table.js';

const bind = (sizes: Record<string, number>): t.Bindings => new Map(Object.entries(sizes));
const memoryOf = (outputs: Record<string, t.Value>, sizes: Record<string, number> = {}): t.GraphMemory =>
  t.graphMemory(t.lower(t.graphOf(outputs), 'cpu'), bind(sizes));

const MB = 2 ** 20;

test('the arena takes the smallest chunk that is large enough, joins neighbours, and counts what was used of its regions', () => {
  const arena = new Arena();
  const [a, b, c] = [arena.take(1000), arena.take(300), arena.take(256)];
  expect([a, b, c].map(({ start, end }) => [start, end])).toEqual([
    [0, 1024],
    [1024, 1536],
    [1536, 1792],
  ]);
  arena.give(b!);
  // The hole is less than twice as large: it is taken whole.
  const whole = arena.take(400);
  expect([whole.start, whole.end]).toEqual([1024, 1536]);
  arena.give(whole);
  arena.give(a!);
  expect(arena.take(1500).start).toBe(0);
  expect(arena.size).toBe(1792);
  // Too large for what is left of the first region: a region of its own, of which only what is used counts.
  expect(arena.take(3 * MB)).toMatchObject({ region: 1, start: 0 });
  expect(arena.size).toBe(1792 + 3 * MB);
});

test('depth first from the ends, what was made last first', () => {
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', [2]);
  const [a, b] = [t.exp(x), t.sin(x)];
  const [c, d] = [t.cos(b), t.sqrt(a)];
  const order = t.executionOrder(t.graphOf({ sum: t.add(d, c), d }));
  expect(order.map(({ op }) => op.name)).toEqual(['exp', 'sqrt', 'sin', 'cos', 'add']);
});

test('memory: buffers live from their making to their last reader, views take none, outputs lie with the caller', () => {
  const chain = (length: number): Record<string, t.Value> => {
    const g = new t.GraphBuilder();
    const w = g.frozen('w', [64, 64], { data: new Float32Array(64 * 64) });
    let x = g.input('x', 'f32', ['n', 64]);
    for (let at = 0; at < length; at++) x = t.exp(t.reshape(t.matmul(x, w), ['n', 64]));
    return { y: x };
  };
  const one = 1000 * 64 * 4;
  expect(memoryOf(chain(2), { n: 1000 })).toEqual({
    activations: expect.any(Number),
    weights: 64 * 64 * 4,
    packed: { copies: 2 * 64 * 64 * 4, originals: 0 },
    outputs: one,
  });
  const [few, many] = [2, 9].map((length) => memoryOf(chain(length), { n: 1000 }).activations) as [number, number];
  expect(few).toBeGreaterThanOrEqual(2 * one);
  expect(many).toBeLessThan(2.5 * one);
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', ['n']);
  // Each is read again at the end.
  const kept = [t.exp(x), t.sin(x), t.cos(x)];
  const first = t.reduceSum(t.after(kept[0]!, kept));
  const { activations } = memoryOf({ y: kept.reduce((sum, value) => t.add(sum, value), first) }, { n: 4096 });
  expect(activations).toBeGreaterThanOrEqual(3 * 4096 * 4);
  expect(activations).toBeLessThanOrEqual(4 * 4096 * 4 + 1024);
});

/** Names of the operators whose results each buffer is taken for first, and its places in the order of execution. */
const plannedFor = (outputs: Record<string, t.Value>): [string, number, number][] =>
  planBuffers(t.graphOf(outputs)).map(({ value, from, until }) => [value.op.name, from, until]);

test('a result lies in the buffer of an earlier one of the same sizes, which is held in between', () => {
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', ['n', 8]);
  // sin's buffer is free after its sum; cos, of the same sizes, takes it three operators later.
  const sums = t.reduceSum(t.sin(t.exp(x)), [1]);
  const y = t.cos(t.after(x, [t.sqrt(sums)]));
  expect(plannedFor({ y: t.reduceSum(y, [1]) })).toEqual([
    ['exp', 0, 1],
    ['sin', 1, 6],
    ['reduceSum', 2, 3],
    ['sqrt', 3, 4],
  ]);
});

test('softmax goes over what it alone reads, arithmetic over nothing', () => {
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', ['n', 8]);
  const scores = t.exp(x);
  expect(plannedFor({ y: t.reduceSum(t.softmax(scores), [1]) })).toEqual([['exp', 0, 2]]);
  expect(plannedFor({ y: t.reduceSum(t.mul(scores, 2), [1]) })).toHaveLength(2);
  expect(plannedFor({ y: t.reduceSum(t.mul(t.softmax(scores), scores), [1]) }).map(([op]) => op)).toEqual(['exp', 'softmax', 'mul']);
});

/** sum(exp(z) + u v) by the thin product's own kernel: its second factor read as it is or the other way round, fed or frozen. */
const thinSum = (transB: boolean, isFed: boolean): Record<string, t.Value> => {
  const g = new t.GraphBuilder();
  const addend = g.scope('addend', () => t.exp(g.input('z', 'f32', [16, WIDE])));
  const a = g.scope('a', () => t.exp(g.input('u', 'f32', [16, 8])));
  const shape = transB ? [WIDE, 8] : [8, WIDE];
  const b = isFed ? g.scope('b', () => t.exp(g.input('v', 'f32', shape))) : g.frozen('v', shape, { data: new Float32Array(8 * WIDE) });
  return { y: t.reduceSum(g.scope('sum', () => t.add(addend, t.matmul(a, b, { transB })))) };
};
const WIDE = 4096;

test('a thin product is added in the memory of the addend; its second factor is turned beside it, unless that is frozen', () => {
  const planned = (transB: boolean, isFed: boolean) =>
    planBuffers(t.lower(t.graphOf(thinSum(transB, isFed)), 'cpu')).map(({ value, from, until }) => [value.scope, from, until]);
  expect(planned(false, true)).toEqual([
    ['addend', 0, 4],
    ['a', 1, 3],
    ['b', 2, 3],
  ]);
  expect(planned(true, true)).toEqual([
    ['addend', 0, 4],
    ['a', 1, 3],
    ['b', 2, 3],
    ['b', 3, 3],
  ]);
  expect(planned(true, false)).toEqual([
    ['addend', 0, 3],
    ['a', 1, 2],
  ]);
  const turned = (isFed: boolean): number => memoryOf(thinSum(true, isFed)).activations - memoryOf(thinSum(false, isFed)).activations;
  expect([turned(true), turned(false)]).toEqual([8 * WIDE * 4, 0]);
});

test.each([true, false])('the order is the one in which ONNX Runtime computes, with thin products too (fed: %s)', async (isFed) => {
  const folder = mkdtempSync(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-order-'));
  const outputs = thinSum(true, isFed);
  const executable = await t.compile({ outputs, profile: join(folder, 'run') });
  await executable.run({
    z: new Float32Array(16 * WIDE),
    u: new Float32Array(16 * 8),
    ...(isFed ? { v: new Float32Array(8 * WIDE) } : {}),
  });
  await executable.release();
  const nodes = t.readProfile(join(folder, 'run')).filter(({ operator }) => operator !== 'Reshape');
  rmSync(folder, { recursive: true });
  expect(nodes.map(({ node, operator }) => `${node.split('/')[0]} ${operator}`)).toEqual([
    'addend Exp',
    'a Exp',
    ...(isFed ? ['b Exp', 'sum Transpose'] : []),
    'sum FusedConv',
    expect.stringContaining('ReduceSum'),
  ]);
  const order = t.executionOrder(t.lower(t.graphOf(outputs), 'cpu')).map(({ scope, op }) => `${scope} ${op.name}`);
  expect(order).toEqual(['addend exp', 'a exp', ...(isFed ? ['b exp'] : []), 'sum addMatmul', ' reduceSum']);
});

test('a second run finds the regions of the first, and its blocks reach farther where they are cut up otherwise', () => {
  const arena = new Arena();
  const blocks = [MB, 3 * MB, 2 * MB].map((bytes) => arena.take(bytes));
  for (const block of blocks) arena.give(block);
  const first = arena.size;
  // The smallest chunk that fits is now another.
  for (const bytes of [2 * MB, 3 * MB, MB]) arena.take(bytes);
  expect(arena.size).toBeGreaterThan(first);
});

test('regions stop doubling at 1 GiB', () => {
  const arena = new Arena();
  const regions = Array.from({ length: 14 }, () => arena.take(600 * MB).region);
  expect(new Set(regions).size).toBe(14);
  expect(arena.size).toBe(14 * 600 * MB);
});

test('memory: of a table of which rows are gathered, only their surroundings are mapped', () => {
  const g = new t.GraphBuilder();
  const table = g.frozen('table', [50_000, 64], { data: new Float32Array(50_000 * 64) });
  const gathered = t.gather(table, g.input('ids', 'i32', ['n']));
  expect(memoryOf({ y: gathered }, { n: 10 })).toMatchObject({ weights: 10 * 2 ** 16, packed: { copies: 0, originals: 10 * 2 ** 16 } });
  // Something else reads all of it.
  expect(memoryOf({ y: gathered, sum: t.reduceSum(table) }, { n: 10 }).weights).toBe(50_000 * 64 * 4);
});

test('every primitive is counted as something; of a new one nobody has thought of, that is said', () => {
  for (const op of PRIMITIVES) expect(() => countedAs(op)).not.toThrow();
  expect(() => countedAs({ ...t.exp(new t.GraphBuilder().input('x', 'f32', [1])).op, name: 'new' })).toThrow(
    'primitive new has no class of work',
  );
});

test('work: products by their arithmetic and form, the rest by bytes or elements', () => {
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', ['n', 64]);
  const heads = g.input('heads', 'f32', [3, 'n', 64]);
  const data = (size: number): { data: Float32Array } => ({ data: new Float32Array(size) });
  const wide = t.matmul(x, g.frozen('wide', [64, 128], data(64 * 128)));
  const thin = t.matmul(wide, g.frozen('thin', [128, 8], data(128 * 8)));
  const int4 = g.frozenInt4('int4', [64, 64], { codes: { data: new Uint8Array(64 * 32) }, scales: data(128) });
  const outputs = {
    y: t.add(t.exp(thin), t.transpose(t.transpose(thin, [1, 0]), [1, 0])),
    weights: t.matmul(x, wide, { transA: true }),
    scores: t.matmul(heads, heads, { transB: true }),
    codes: t.linear(x, int4),
    back: t.dequantize(int4, x),
    views: t.reshape(x, [-1]),
  };
  const work = t.countWork(t.graphOf(outputs), bind({ n: 100 }));
  expect(work).toEqual({
    product: 2 * (2 * 100 * 64 * 128),
    headProduct: 2 * 3 * 100 * 64 * 100,
    thinProduct: 2 * 100 * 128 * 8,
    int4Product: 2 * 100 * 64 * 64,
    elementwise: 4 * 3 * 800,
    transcendental: 800,
    movement: 2 * 8 * 800,
    dequantized: 64 * 64,
  });
  expect(Object.keys(work).sort()).toEqual([...t.OPERATOR_CLASSES].sort());
});

test('a chained product is counted like a plain one', () => {
  const g = new t.GraphBuilder();
  const [x, addend] = [g.input('x', 'f32', ['n', 64]), g.input('addend', 'f32', ['n', 96])];
  const w = g.frozen('w', [64, 96], { data: new Float32Array(64 * 96) });
  const graph = t.lower(t.graphOf({ y: t.add(t.matmul(x, w), addend) }), 'cpu');
  expect(graph.values.map(({ op }) => op.name)).toContain('addMatmul');
  expect(t.countWork(graph, bind({ n: 100 }))).toMatchObject({ product: 2 * 100 * 64 * 96, elementwise: 0 });
});
