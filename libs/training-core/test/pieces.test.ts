import { expect, test } from '@jest/globals';
import { dataOrder, packedByTokens } from '../src/loop/order.js';
import { addInto } from '../src/optimizers/accumulation.js';
import { initAdamW, updateAdamW } from '../src/optimizers/adamw.js';
import { clipFactor, globalNorm } from '../src/optimizers/clipping.js';
import { schedule } from '../src/schedules/schedule.js';

const order = { count: 10, epochs: 2, batch_size: 4, micro_batch_size: 3, max_steps: null, shuffle: true, seed: 3 };

test('an epoch has every row once, another epoch another order, a last group may be smaller', () => {
  const { totalSteps, stepsPerEpoch, rowsOf } = dataOrder(order);
  expect([totalSteps, stepsPerEpoch]).toEqual([6, 3]);
  const epochs = [0, 1].map((epoch) => [0, 1, 2].map((batch) => rowsOf(epoch * 3 + batch)));
  const rows = epochs.map((steps) => steps.flatMap(({ microBatches }) => microBatches.flat()));
  for (const epoch of rows) expect([...epoch].sort((a, b) => a - b)).toEqual([...Array(10).keys()]);
  expect(rows[0]).not.toEqual(rows[1]);
  expect(epochs[0]!.map(({ microBatches }) => microBatches.map((rowsOfOne) => rowsOfOne.length))).toEqual([[3, 1], [3, 1], [2]]);
  expect(epochs[0]!.map(({ lastOfEpoch }) => lastOfEpoch)).toEqual([false, false, true]);
});

test('the order depends on the seed and not on which step is asked first', () => {
  const all = dataOrder(order);
  const late = dataOrder(order);
  expect(late.rowsOf(4)).toEqual(all.rowsOf(4));
  expect(late.rowsOf(1)).toEqual(all.rowsOf(1));
  expect(dataOrder({ ...order, seed: 4 }).rowsOf(0)).not.toEqual(all.rowsOf(0));
  expect(dataOrder({ ...order, shuffle: false }).rowsOf(1).microBatches).toEqual([[4, 5, 6], [7]]);
  expect(dataOrder({ ...order, max_steps: 4 }).totalSteps).toBe(4);
});

test('validation rows are packed by tokens, in order, each once', () => {
  const lengths = [3, 4, 9, 2, 5, 1, 12, 1];
  const source = {
    count: lengths.length,
    get: (row: number) => ({ ids: new Int32Array(lengths[row]!), weights: new Float32Array(lengths[row]!) }),
  };
  expect(packedByTokens(source, 8)).toEqual([[0, 1], [2], [3, 4, 5], [6], [7]]);
});

// Values of transformers' get_scheduler for 10 steps, 2 of them warm-up.
test.each([
  ['constant', [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]],
  ['linear', [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]],
  ['cosine', [0, 0.5, 1, 0.96194, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.03806]],
] as const)('schedule %s', (type, factors) => {
  const at = schedule({ type, warmup_ratio: 0.2 }, 10);
  for (const [step, factor] of factors.entries()) expect(at(step)).toBeCloseTo(factor, 5);
});

test('clipping scales to the norm, and leaves what is below it', () => {
  expect(globalNorm(Float32Array.of(3, 0, 0, 0, 4))).toBe(5);
  expect(clipFactor(5, 1)).toBeCloseTo(0.2, 6);
  expect(clipFactor(0.5, 1)).toBe(1);
  expect(clipFactor(0, 1)).toBe(1);
});

test.each([1, 5, 16_384, 40_003])('gradients of %i elements are summed as float32', (n) => {
  const [a, b] = [1, 2].map((seed) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * seed) * 1e3)) as [Float32Array, Float32Array];
  const wanted = a.map((x, i) => x + b[i]!);
  addInto(a, b);
  expect(a).toEqual(wanted);
});

test('AdamW: 5 steps of odd lengths over several chunks follow the formula in float64', () => {
  const spec = { learning_rate: 0.01, betas: [0.9, 0.99] as const, eps: 1e-8, weight_decay: 0.1 };
  const n = 40_003;
  const parameters = Float32Array.from({ length: n }, (_, i) => Math.sin(i));
  const exact = Float64Array.from(parameters);
  const [m, v] = [new Float64Array(n), new Float64Array(n)];
  const state = initAdamW(n);
  for (let step = 1; step <= 5; step++) {
    const gradients = Float32Array.from({ length: n }, (_, i) => Math.cos(i * step) * 10 ** ((i % 9) - 6));
    updateAdamW(
      spec,
      state,
      parameters,
      gradients,
      [
        { start: 0, end: 17, decayed: false },
        { start: 17, end: n, decayed: true },
      ],
      0.5,
      0.01,
    );
    for (let i = 0; i < n; i++) {
      const g = gradients[i]! * 0.5;
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.99 * v[i]! + 0.01 * g * g;
      const change = (0.01 / (1 - 0.9 ** step)) * (m[i]! / (Math.sqrt(v[i]!) / Math.sqrt(1 - 0.99 ** step) + 1e-8));
      exact[i] = exact[i]! * (i < 17 ? 1 : 1 - 0.01 * 0.1) - change;
    }
  }
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(parameters[i]! - exact[i]!));
  expect(largest).toBeLessThan(5e-7);
});

test('AdamW: the first step has the size of the rate, decay spares what is not decayed, ranges may be cut anywhere', () => {
  const spec = { learning_rate: 0.1, betas: [0.9, 0.999] as const, eps: 1e-8, weight_decay: 0.5 };
  const gradients = Float32Array.of(1, -2, 3, 0.5);
  const run = (ranges: { start: number; end: number; decayed: boolean }[]): Float32Array => {
    const parameters = Float32Array.of(1, 1, 1, 1);
    const state = initAdamW(4);
    for (let step = 0; step < 3; step++) updateAdamW(spec, state, parameters, gradients, ranges, 1, 0.1);
    return parameters;
  };
  const once = Float32Array.of(1, 1);
  updateAdamW(
    spec,
    initAdamW(2),
    once,
    Float32Array.of(4, -4),
    [
      { start: 0, end: 1, decayed: true },
      { start: 1, end: 2, decayed: false },
    ],
    1,
    0.1,
  );
  expect(once[0]).toBeCloseTo(0.95 - 0.1, 6);
  expect(once[1]).toBeCloseTo(1.1, 6);
  const cut = [0, 1, 2, 3].map((start) => ({ start, end: start + 1, decayed: true }));
  expect(run(cut)).toEqual(run([{ start: 0, end: 4, decayed: true }]));
});
