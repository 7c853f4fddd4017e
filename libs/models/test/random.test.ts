import { expect, test } from '@jest/globals';
import { philox4x32 } from '../src/random/philox.js';
import { randomStream } from '../src/random/stream.js';

// Known answers of the reference implementation (Random123, kat_vectors, "philox4x32 10").
test.each([
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const)('philox4x32-10 gives the reference words for counter %j', (counter, key, expected) => {
  const out = new Uint32Array(4);
  philox4x32([...counter], key, out);
  expect([...out]).toEqual(expected);
});

test('a stream repeats itself and differs from its neighbours', () => {
  const draw = (seed: number, a: number, b: number) => {
    const stream = randomStream(seed, 'dropout', a, b);
    return Array.from({ length: 9 }, () => stream.uniform());
  };
  expect(draw(7, 1, 2)).toEqual(draw(7, 1, 2));
  const firsts = [draw(7, 1, 2), draw(8, 1, 2), draw(7, 2, 2), draw(7, 1, 3), draw(7 + 2 ** 32, 1, 2)].map((d) => d[0]);
  expect(new Set(firsts).size).toBe(firsts.length);
});

test('uniform, integer and normal have the moments they should', () => {
  const stream = randomStream(1, 'sampling');
  const n = 20_000;
  let sum = 0;
  let normalSum = 0;
  let normalSquares = 0;
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < n; i++) {
    sum += stream.uniform();
    const z = stream.normal();
    normalSum += z;
    normalSquares += z * z;
    counts[stream.integer(7)]!++;
  }
  expect(sum / n).toBeCloseTo(0.5, 1);
  expect(Math.abs(normalSum / n)).toBeLessThan(0.03);
  expect(normalSquares / n).toBeCloseTo(1, 1);
  for (const count of counts) expect(Math.abs(count - n / 7)).toBeLessThan(5 * Math.sqrt(n / 7));
});
