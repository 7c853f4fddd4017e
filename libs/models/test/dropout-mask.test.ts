import { expect, test } from '@jest/globals';
import { dropoutMask } from '../src/random/dropout-mask.js';
import { philox4x32 } from '../src/random/philox.js';
import { PURPOSE, seedKey } from '../src/random/stream.js';

test('a dropout mask drops its share, keeps the mean, and is the same each time', () => {
  const mask = dropoutMask(7, 3, 5, 0.1, 100_001);
  const dropped = mask.filter((factor) => factor === 0).length;
  expect(dropped / mask.length).toBeCloseTo(0.1, 2);
  expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.9)]));
  expect(dropoutMask(7, 3, 5, 0.1, 100_001)).toEqual(mask);
  expect(dropoutMask(7, 3, 6, 0.1, 100_001)).not.toEqual(mask);
});

test("the factors are Philox's draws of 16 bits, in the order that mask-kernel names", () => {
  const seed = 2 ** 40 + 3;
  const [step, site, probability, count] = [9, 4, 0.3, 70_001];
  const mask = dropoutMask(seed, step, site, probability, count);
  const words = new Uint32Array(4);
  for (let factor = 0; factor < count; factor += 997) {
    const within = factor % 32;
    const block = 4 * Math.floor(factor / 32) + (within % 4);
    philox4x32([block, site, step, PURPOSE.dropout], seedKey(seed), words);
    const word = words[Math.floor(within / 8)]!;
    const draw = Math.floor(within / 4) % 2 === 0 ? word & 0xffff : word >>> 16;
    expect(mask[factor]).toBe(draw < Math.round(probability * 65_536) ? 0 : Math.fround(1 / (1 - probability)));
  }
});
