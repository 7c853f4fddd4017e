import { philox4x32 } from './philox.js';

/** What a stream of random numbers is for. Streams of different purposes never overlap; the numbers are part of the snapshot's meaning. */
export const PURPOSE = { shuffle: 1, adapterInit: 2, dropout: 3, sampling: 4, weightInit: 5 } as const;
export type Purpose = keyof typeof PURPOSE;

/** The random numbers of one (seed, purpose, a, b): the same ones on every machine, in every process, however often asked. */
export interface RandomStream {
  /** uniform in [0, 1), 24 random bits: every value is exact in float32 */
  uniform(): number;
  /** uniform integer in [0, below); 53 random bits, so the bias is below `below` / 2^53 */
  integer(below: number): number;
  /** standard normal by Box-Muller */
  normal(): number;
}

/** Philox's key of a seed. */
export const seedKey = (seed: number): readonly [number, number] => [seed >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0];

/**
 * @param seed non-negative safe integer
 * @param a, b unsigned 32-bit coordinates within the purpose (epoch; step and site; token position)
 */
export function randomStream(seed: number, purpose: Purpose, a = 0, b = 0): RandomStream {
  const key = seedKey(seed);
  const words = new Uint32Array(4);
  let block = 0;
  let used = 4;
  const next = (): number => {
    if (used === 4) {
      philox4x32([block, b >>> 0, a >>> 0, PURPOSE[purpose]], key, words);
      block++;
      used = 0;
    }
    return words[used++]!;
  };
  const uniform = (): number => (next() >>> 8) / 0x100_0000;
  return {
    uniform,
    integer(below) {
      const high = next() >>> 5;
      const low = next() >>> 6;
      return Math.floor(((high * 0x400_0000 + low) / 0x20_0000_0000_0000) * below);
    },
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
  };
}
