import { expect, test } from '@jest/globals';
import { randomStream } from '@tunefleet/models';
import { distinctRows, TouchedRows } from '../src/loop/touched-rows.js';
import { initAdamW, updateAdamW } from '../src/optimizers/adamw.js';
import { globalNorm } from '../src/optimizers/clipping.js';
import { flatLayout } from '../src/parameters.js';

const [ROWS, WIDTH] = [40, 12];
const layout = flatLayout([
  ['bias', [5]],
  ['table', [ROWS, WIDTH]],
  ['last', [3, 7]],
]);
const [bias, table, last] = layout.slots as [(typeof layout.slots)[0], (typeof layout.slots)[0], (typeof layout.slots)[0]];
const settings = { learning_rate: 1, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0 } as const;
const random = randomStream(3, 'shuffle');
const draws = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
const whole = [bias, table, last].map(({ offset, length }) => ({ start: offset, end: offset + length, decayed: false }));

test('distinct rows stand in the order of their first use', () => {
  const { rows, places } = distinctRows(Int32Array.of(7, 3, 7, 39, 3));
  expect([[...rows], [...places]]).toEqual([
    [7, 3, 39],
    [0, 1, 0, 2, 1],
  ]);
});

test('norm and update over the rows that were ever read give the bits of the whole table, after a resume too', () => {
  let rows = new TouchedRows(table);
  const gradients = new Float32Array(layout.size);
  const [sparse, dense] = [draws(layout.size), new Float32Array(layout.size)];
  dense.set(sparse);
  const [moments, expected] = [initAdamW(layout.size), initAdamW(layout.size)];
  for (let step = 0; step < 6; step++) {
    const groups = [Int32Array.of(step, 8, 2 * step + 9), Int32Array.of(8, 30 - step)];
    const sums = new Map<number, Float32Array>();
    for (const [index, group] of groups.entries()) {
      const gradient = draws(group.length * WIDTH);
      rows.add(group, gradient, gradients, index === 0);
      group.forEach((row, place) => {
        const sum = sums.get(row) ?? new Float32Array(WIDTH);
        sums.set(
          row,
          sum.map((value, at) => value + gradient[place * WIDTH + at]!),
        );
      });
    }
    gradients.set(draws(bias.length), bias.offset);
    gradients.set(draws(last.length), last.offset);
    const found = gradients.subarray(table.offset, table.offset + table.length);
    for (let row = 0; row < ROWS; row++)
      expect(found.subarray(row * WIDTH, (row + 1) * WIDTH)).toEqual(sums.get(row) ?? new Float32Array(WIDTH));
    const ranges = [whole[0]!, ...rows.ranges().map((range) => ({ ...range, decayed: false })), whole[2]!];
    expect(ranges.length).toBeGreaterThan(3);
    expect(globalNorm(gradients, ranges)).toBe(globalNorm(gradients));
    updateAdamW(settings, moments, sparse, gradients, ranges, 0.5, 0.01);
    updateAdamW(settings, expected, dense, gradients, whole, 0.5, 0.01);
    expect(sparse).toEqual(dense);
    expect(moments).toEqual(expected);
    if (step !== 3) continue;
    const before = rows.ranges();
    rows = new TouchedRows(table);
    rows.recall(moments);
    expect(rows.ranges()).toEqual(before);
    gradients.fill(0);
  }
});
