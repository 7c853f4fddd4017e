// Philox4x32-10 (philox.ts) as a WebAssembly function, four blocks at a time: 10 million factors of a dropout mask take JavaScript half a
// second.

import { webassembly } from '@tunefleet/tensor';
import { MULTIPLIER_0, MULTIPLIER_1, ROUNDS, WEYL_0, WEYL_1 } from './philox.js';

const { binary, get, instantiate, overBytes, set, signed, simd, store, I32, F32, PAGE_BYTES, V128 } = webassembly;
type Code = webassembly.Code;

/** Factors of one iteration: four blocks of four words of two draws. */
export const FACTORS_A_STEP = 32;
/** Factors a call; they stay in a core's second-level cache. */
export const MASK_CHUNK = 32_768;

const STEP_BYTES = 4 * FACTORS_A_STEP;

/** i32.const of any 32 bits: five bytes of seven bits, the last one carrying the sign. */
const constant = (word: number): Code => [0x41, ...[0, 7, 14, 21].map((shift) => ((word >> shift) & 0x7f) | 0x80), (word >> 28) & 0x7f];
const splat = (scalar: Code): Code => [...scalar, ...simd(0x11)];
const add = binary(0xae);
const xor = binary(0x51);
const multiply = binary(0xb5);
const multiplyLow = binary(0xde);
const multiplyHigh = binary(0xdf);
const notBelow = binary(0x3f);
const and = binary(0x4e);
const shiftedRight = (a: Code, bits: number): Code => [...a, 0x41, ...signed(bits), ...simd(0xad)];
/** The upper words of four 64-bit products that lie in two vectors. */
const UPPER = [4, 12, 20, 28].flatMap((byte) => [byte, byte + 1, byte + 2, byte + 3]);
const upperProduct = (a: Code, b: Code): Code => [...multiplyLow(a, b), ...multiplyHigh(a, b), ...simd(0x0d), ...UPPER];
/** The number of each lane. */
const LANES: Code = [...simd(0x0c), ...[0, 1, 2, 3].flatMap((lane) => [lane, 0, 0, 0])];

const PARAMETERS = ['bytes', 'key0', 'key1', 'block', 'counter1', 'counter2', 'counter3', 'threshold', 'kept'] as const;
/** The locals follow the parameters: a place in memory, then vectors. */
const AT = PARAMETERS.length;
const VECTORS = ['c0', 'c1', 'c2', 'c3', 'k0', 'k1', 'low0', 'high0', 'low1', 'high1', 'limit', 'factor'] as const;

/** Numbers of parameters and locals by their names, from `first` on. */
const numbered = <Name extends string>(names: readonly Name[], first: number): Record<Name, number> =>
  Object.fromEntries(names.map((name, index) => [name, first + index])) as Record<Name, number>;
const given = numbered(PARAMETERS, 0);
const vector = numbered(VECTORS, AT + 1);
/** The four words of a block. */
const WORDS = [vector.c0, vector.c1, vector.c2, vector.c3] as const;

function body(): Code {
  const { c0, c1, c2, c3, k0, k1, low0, high0, low1, high1, limit, factor } = vector;
  const first = splat(constant(MULTIPLIER_0));
  const second = splat(constant(MULTIPLIER_1));
  const round = [
    ...[...multiply(get(c0), first), ...set(low0), ...upperProduct(get(c0), first), ...set(high0)],
    ...[...multiply(get(c2), second), ...set(low1), ...upperProduct(get(c2), second), ...set(high1)],
    ...[...xor(xor(get(high1), get(c1)), get(k0)), ...set(c0), ...get(low1), ...set(c1)],
    ...[...xor(xor(get(high0), get(c3)), get(k1)), ...set(c2), ...get(low0), ...set(c3)],
    ...[...add(get(k0), splat(constant(WEYL_0))), ...set(k0), ...add(get(k1), splat(constant(WEYL_1))), ...set(k1)],
  ];
  const factors = (draws: Code): Code => and(notBelow(draws, get(limit)), get(factor));
  const stores = WORDS.flatMap((word, place) => [
    ...store(AT, 32 * place, factors(and(get(word), splat(constant(0xffff))))),
    ...store(AT, 32 * place + 16, factors(shiftedRight(get(word), 16))),
  ]);
  const step = [
    ...[...add(splat(get(given.block)), LANES), ...set(c0), ...splat(get(given.counter1)), ...set(c1)],
    ...[...splat(get(given.counter2)), ...set(c2), ...splat(get(given.counter3)), ...set(c3)],
    ...[...splat(get(given.key0)), ...set(k0), ...splat(get(given.key1)), ...set(k1)],
    ...Array.from({ length: ROUNDS }, () => round).flat(),
    ...stores,
    ...[...get(given.block), 0x41, 4, 0x6a, ...set(given.block)],
  ];
  return [
    ...[...splat(get(given.threshold)), ...set(limit), ...get(given.kept), ...simd(0x13), ...set(factor)],
    ...overBytes(AT, given.bytes, STEP_BYTES, step),
  ];
}

export interface MaskArguments {
  /** factors to write, rounded up to {@link FACTORS_A_STEP}; at most {@link MASK_CHUNK} */
  count: number;
  key: readonly [number, number];
  /** number of the first block; a step uses four */
  block: number;
  counter: readonly [number, number, number];
  /** draws of 16 bits below it give 0, others `kept` */
  threshold: number;
  kept: number;
}

/** Factors by number: draw d of word w of block b of a step is factor 8 w + 4 d + b. */
export type MaskKernel = (given: MaskArguments) => Float32Array;

let made: MaskKernel | undefined;

/** One for the process. Its answer is a view that the next call overwrites. */
export function maskKernel(): MaskKernel {
  made ??= makeKernel();
  return made;
}

function makeKernel(): MaskKernel {
  const types = PARAMETERS.map((name) => (name === 'kept' ? F32 : I32));
  const locals = [
    [1, I32],
    [VECTORS.length, V128],
  ] as const;
  const { memory, call } = instantiate([{ name: 'mask', parameters: types, locals, body: body() }], (4 * MASK_CHUNK) / PAGE_BYTES);
  const factors = new Float32Array(memory);
  return ({ count, key, block, counter, threshold, kept }) => {
    call.mask(4 * count, ...key, block, ...counter, threshold, kept);
    return factors.subarray(0, count);
  };
}
