import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { passRate } from '../src/statistics.js';

test.each([
  [1, 2],
  [380, 500],
  [3, 4000],
])('the ends of %i of %i are where the score test just rejects', (passed, total) => {
  const { rate, low, high } = passRate(passed, total);
  for (const end of [low, high]) expect(Math.abs(rate - end) / Math.sqrt((end * (1 - end)) / total)).toBeCloseTo(1.959963984540054, 9);
});

test('none and all of ten end at 0 and 1, and no rows say nothing', () => {
  expect(passRate(0, 10)).toMatchObject({ low: 0, high: expect.closeTo(0.2775328, 7) });
  expect(passRate(10, 10)).toMatchObject({ low: expect.closeTo(0.7224672, 7), high: 1 });
  expect(passRate(0, 0)).toMatchObject({ rate: 0, low: 0, high: 1 });
});

test('the interval holds the rate and stays within [0, 1]', () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), (a, b) => {
      const [passed, total] = [Math.min(a, b), Math.max(a, b)];
      const { rate, low, high } = passRate(passed, total);
      expect(low >= 0 && low <= rate && rate <= high && high <= 1).toBe(true);
    }),
  );
});

test('what is no count is refused', () => {
  for (const [passed, total] of [
    [2, 1],
    [-1, 1],
    [0.5, 1],
  ] as const)
    expect(() => passRate(passed, total)).toThrow(RangeError);
});
