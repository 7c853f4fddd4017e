import { expect, test } from '@jest/globals';
import { skipUnless } from '../../../../tools/jest/skip-unless.js';
import * as t from '../../src/index.js';
import { expectDeviceState } from './device-state.js';

const native = skipUnless(t.hasNativeInterface(), 'koffi: it does not load here');
const wave = (length: number, seed: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(at * 12.9898 + seed));

/** Loss and gradients of a layer: [tokens, 40] -> 24. */
const layer = (): { outputs: Record<string, t.Value>; feeds: (tokens: number) => Record<string, t.Feed> } => {
  const g = new t.GraphBuilder();
  const [x, w] = [g.input('x', 'f32', ['tokens', 40]), g.parameter('w', [24, 40])];
  const loss = t.reduceSum(t.square(t.silu(t.linear(x, w))));
  const [dw] = t.gradients(loss, [w]);
  return { outputs: { loss, dw, largest: t.argMax(x) }, feeds: (tokens) => ({ x: wave(tokens * 40, 1), w: wave(24 * 40, 2) }) };
};

native('both ways to speak to ONNX Runtime give the same bytes', async () => {
  const { outputs, feeds } = layer();
  for (const threads of [1, 2]) {
    const [a, b] = await Promise.all(
      (['native', 'node'] as const).map((engineInterface) => t.compile({ outputs, threads, engineInterface })),
    );
    for (const tokens of [7, 300]) {
      expect(await a!.run(feeds(tokens))).toEqual(await b!.run(feeds(tokens)));
    }
    await a!.release();
    await b!.release();
  }
});

test.each(t.hasNativeInterface() ? (['native', 'node'] as const) : (['node'] as const))(
  '%s: outputs are written into given arrays, and nowhere else',
  async (engineInterface) => {
    const { outputs, feeds } = layer();
    const executable = await t.compile({ outputs, engineInterface });
    const fresh = await executable.run(feeds(9));
    const flat = new Float32Array(3 + 24 * 40 + 2).fill(7);
    const found = await executable.run(feeds(9), executable.outputNames, { dw: flat.subarray(3, 3 + 24 * 40) });
    expect(found['dw']!.data.buffer).toBe(flat.buffer);
    expect([...flat]).toEqual([7, 7, 7, ...fresh['dw']!.data, 7, 7]);
    expect(found['loss']).toEqual(fresh['loss']);
    await executable.release();
  },
);

test('an array that does not fit, is not fetched, or is read by the same run is refused by name', async () => {
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', ['n']);
  const executable = await t.compile({ outputs: { y: t.add(x, 1), z: t.mul(x, 2) } });
  const flat = new Float32Array(8);
  const run = (fetch: string[], into: Record<string, t.TensorData>): Promise<unknown> =>
    executable.run({ x: flat.subarray(0, 4) }, fetch, into);
  await expect(run(['y'], { y: new Float32Array(3) })).rejects.toThrow(/output "y" is f32\[4\].* holds 3 elements/);
  await expect(run(['y'], { y: new Int32Array(4) })).rejects.toThrow(/output "y" is f32\[4\]/);
  await expect(run(['y'], { z: new Float32Array(4) })).rejects.toThrow(/"z" .* is not fetched/);
  await expect(run(['y'], { y: flat.subarray(3, 7) })).rejects.toThrow(/output "y" would be written over "x"/);
  await expect(run(['y', 'z'], { y: new Float32Array(4), z: flat.subarray(4) })).resolves.toBeDefined();
  await executable.release();
});

/** Momentum: v' = 0.9 v + g(p); p' = p - 0.1 v'. */
const momentum = (): Record<'p.next' | 'v.next', t.Value> => {
  const g = new t.GraphBuilder();
  const [p, v] = [g.input('p', 'f32', ['n']), g.input('v', 'f32', ['n'])];
  const next = t.add(t.mul(v, 0.9), t.mul(t.sin(p), t.add(p, 0.5)));
  return { 'p.next': t.sub(p, t.mul(next, 0.1)), 'v.next': next };
};

native('state that is updated where it lies is the same after 100 steps as state that is copied', async () => {
  const updated = await t.compile({ outputs: momentum(), threads: 2, inPlace: { 'p.next': 'p', 'v.next': 'v' } });
  const copied = await t.compile({ outputs: momentum(), threads: 2, engineInterface: 'node' });
  const n = 100_000;
  const state = { p: wave(n, 1), v: wave(n, 2) };
  let expected: Record<string, t.Tensor> = { p: { data: wave(n, 1), shape: [n] }, v: { data: wave(n, 2), shape: [n] } };
  for (let step = 0; step < 100; step++) {
    await updated.run(state, updated.outputNames, { 'p.next': state.p, 'v.next': state.v });
    const next = await copied.run(expected);
    expected = { p: next['p.next']!, v: next['v.next']! };
  }
  expect(state).toEqual({ p: expected['p']!.data, v: expected['v']!.data });
  await updated.release();
  await copied.release();
});

test('an output may take the place of an input only where every reader of it has read before', () => {
  const g = new t.GraphBuilder();
  const [x, y] = [g.input('x', 'f32', [4]), g.input('y', 'f32', [4])];
  const next = t.add(t.exp(x), y);
  const check = (outputs: Record<string, t.Value>, inPlace: Record<string, string>) => () =>
    t.checkInPlace(t.graphOf(outputs), inPlace, 'cpu');
  expect(check({ next }, { next: 'x' })).not.toThrow();
  expect(check({ next, late: t.neg(x) }, { next: 'x' })).toThrow(/"next" cannot take the place of input "x": neg %\d+ may read it after/);
  expect(check({ next, late: t.neg(t.reshape(x, [2, 2])) }, { next: 'x' })).toThrow(/neg|reshape/);
  expect(check({ next: t.reshape(t.matmul(t.reshape(x, [2, 2]), t.reshape(y, [2, 2])), [4]) }, { next: 'x' })).not.toThrow();
  expect(check({ next: t.softmax(x) }, { next: 'x' })).toThrow(/softmax/);
  expect(check({ next, x }, { next: 'x' })).toThrow();
  expect(check({ next, other: t.sub(y, x) }, { next: 'x', other: 'x' })).toThrow(/another output takes it too/);
  expect(check({ next: t.reduceSum(x) }, { next: 'x' })).toThrow(/different types/);
  expect(check({ next }, { next: 'z' })).toThrow(/no such input/);
});

native('tensors stay in the memory of the provider from run to run', async () => {
  await expectDeviceState('cpu');
});

native('the event loop goes on while a graph runs', async () => {
  const g = new t.GraphBuilder();
  const x = g.input('x', 'f32', [700, 700]);
  const executable = await t.compile({ outputs: { y: t.matmul(t.matmul(t.matmul(x, x), x), x) } });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await executable.run({ x: new Float32Array(490_000) });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(2);
  await executable.release();
});

native('feeds, shapes and outputs outlive garbage collections during many runs', async () => {
  const { outputs, feeds } = layer();
  const executable = await t.compile({ outputs });
  const expected = (await executable.run(feeds(3)))['dw']!.data;
  for (let run = 0; run < 1000; run++) {
    const found = await executable.run(feeds(3));
    // Garbage of the young generation, where small typed arrays live.
    Array.from({ length: 200 }, (_, at) => new Float64Array([at]));
    if (run % 100 === 0) expect(found['dw']!.data).toEqual(expected);
  }
  await executable.release();
});

native('hundreds of runs and openings may be asked for at once', async () => {
  const x = new t.GraphBuilder().input('x', 'f32', ['n']);
  const executable = await t.compile({ outputs: { y: t.add(x, 1) } });
  const asked = Array.from({ length: 400 }, (_, at) => at);
  const found = await Promise.all(asked.map((at) => executable.run({ x: Float32Array.of(at) })));
  expect(found.map(({ y }) => y!.data[0])).toEqual(asked.map((at) => at + 1));
  const opened = await Promise.all(asked.map(() => t.compile({ outputs: { y: t.add(x, 1) } })));
  for (const one of [executable, ...opened]) await one.release();
});

native('what ONNX Runtime refuses is an error with its message', async () => {
  const g = new t.GraphBuilder();
  const [table, ids] = [g.input('table', 'f32', [4, 2]), g.input('ids', 'i32', ['n'])];
  const executable = await t.compile({ outputs: { rows: t.gather(table, ids) } });
  await expect(executable.run({ table: new Float32Array(8), ids: Int32Array.of(9) })).rejects.toThrow(/indices element out of data bounds/);
  await executable.release();
});
