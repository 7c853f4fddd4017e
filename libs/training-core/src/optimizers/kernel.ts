// Arithmetic over flat float32 arrays as WebAssembly functions on four elements at a time. Plain JavaScript computes in float64, one by
// one: an AdamW update of 1.9 M weights takes it 12 ms against 4; ONNX Runtime needs a dozen passes over memory and copies its results.
// WebAssembly's float32 operations are IEEE's on every machine: the bits do not depend on processor, threads or chunks.
// (docs/decisions/0030-optimizer-in-webassembly.md)

import { webassembly } from '@tunefleet/tensor';

const { binary, get, instantiate, load: loadAt, overBytes, set, simd, store: storeAt, F32, I32, V128 } = webassembly;
type Code = webassembly.Code;

/** Elements a call; four arrays of it stay in a core's second-level cache. */
export const CHUNK = 16_384;

const CHUNK_BYTES = 4 * CHUNK;
const PAGE_BYTES = 65_536;

/** Scalars of one update, in the order of the function's arguments. */
const SCALARS = ['beta1', 'rest1', 'beta2', 'rest2', 'factor', 'keep', 'stepSize', 'inverseRoot', 'eps'] as const;
export type UpdateScalars = Record<(typeof SCALARS)[number], number>;

const add = binary(0xe4);
const sub = binary(0xe5);
const mul = binary(0xe6);
const div = binary(0xe7);
const sqrt = (a: Code): Code => [...a, ...simd(0xe3)];
const addWide = binary(0xf0);
const mulWide = binary(0xf2);
/** Bytes of a vector's last two floats, as a shuffle names them. */
const UPPER_HALF = [8, 9, 10, 11, 12, 13, 14, 15];

// Locals: bytes, the scalars, the byte at hand, the scalars four times each, three vectors.
const BYTES = 0;
const AT = 1 + SCALARS.length;
const spread = Object.fromEntries(SCALARS.map((name, index) => [name, get(AT + 1 + index)])) as Record<keyof UpdateScalars, Code>;
const [GRADIENT, FIRST, SECOND] = [0, 1, 2].map((index) => AT + 1 + SCALARS.length + index) as [number, number, number];

/** Arrays of a chunk lie one after another: parameters, gradients, first and second moments. */
const load = (at: number, array: number): Code => loadAt(at, array * CHUNK_BYTES);
const store = (at: number, array: number, value: Code): Code => storeAt(at, array * CHUNK_BYTES, value);

/** Runs `step` for each vector of a chunk. */
const overVectors = (at: number, step: Code): Code => overBytes(at, BYTES, 16, step);

function updateBody(): Code {
  const { beta1, rest1, beta2, rest2, factor, keep, stepSize, inverseRoot, eps } = spread;
  const [gradient, first, second] = [get(GRADIENT), get(FIRST), get(SECOND)];
  const step = [
    ...[...mul(load(AT, 1), factor), ...set(GRADIENT)],
    ...[...add(mul(beta1, load(AT, 2)), mul(rest1, gradient)), ...set(FIRST)],
    ...[...add(mul(beta2, load(AT, 3)), mul(rest2, mul(gradient, gradient))), ...set(SECOND)],
    ...store(AT, 2, first),
    ...store(AT, 3, second),
    ...store(AT, 0, sub(mul(load(AT, 0), keep), div(mul(stepSize, first), add(mul(sqrt(second), inverseRoot), eps)))),
  ];
  const splats = SCALARS.flatMap((_, index) => [...get(1 + index), ...simd(0x13), ...set(AT + 1 + index)]);
  return [...splats, ...overVectors(AT, step)];
}

/** The first array += the second. Its one local follows its one argument. */
function addBody(): Code {
  const at = BYTES + 1;
  return overVectors(at, store(at, 0, add(load(at, 0), load(at, 1))));
}

const [SUM_LOW, SUM_HIGH, VALUES, ZERO] = [2, 3, 4, 5];

/**
 * The third array's first four numbers of 8 bytes += the squares of the second array's elements, each to the sum of its place in its
 * vector.
 */
function squaresBody(): Code {
  const at = BYTES + 1;
  const [low, high] = [get(VALUES), [...get(VALUES), ...get(VALUES), ...simd(0x0d), ...UPPER_HALF, ...UPPER_HALF]];
  const plusSquare = (sum: number, half: Code): Code => {
    const wide = [...half, ...simd(0x5f)];
    return [...addWide(get(sum), mulWide(wide, wide)), ...set(sum)];
  };
  return [
    ...[...load(ZERO, 2), ...set(SUM_LOW)],
    ...[...loadAt(ZERO, 2 * CHUNK_BYTES + 16), ...set(SUM_HIGH)],
    ...overVectors(at, [...load(at, 1), ...set(VALUES), ...plusSquare(SUM_LOW, low), ...plusSquare(SUM_HIGH, high)]),
    ...store(ZERO, 2, get(SUM_LOW)),
    ...storeAt(ZERO, 2 * CHUNK_BYTES + 16, get(SUM_HIGH)),
  ];
}

export interface Kernel {
  /** Arrays of a chunk [CHUNK], to be filled before and read after a call. */
  parameters: Float32Array;
  gradients: Float32Array;
  first: Float32Array;
  second: Float32Array;
  /** AdamW on the first `count` elements (rounded up to 4; 1 or more). */
  update(count: number, scalars: UpdateScalars): void;
  /** parameters += gradients, likewise. */
  add(count: number): void;
  /** Four sums of float64, which `squares` adds to: they lie in `first`. */
  sums: Float64Array;
  /** sums[i mod 4] += gradients[i]^2 in order, for the first `count` elements, rounded up to 4. */
  squares(count: number): void;
}

const bytesOf = (count: number): number => 16 * Math.ceil(count / 4);

function makeKernel(): Kernel {
  const { memory, call } = instantiate(
    [
      {
        name: 'update',
        parameters: [I32, ...SCALARS.map(() => F32)],
        locals: [
          [1, I32],
          [SCALARS.length + 3, V128],
        ],
        body: updateBody(),
      },
      { name: 'add', parameters: [I32], locals: [[1, I32]], body: addBody() },
      {
        name: 'squares',
        parameters: [I32],
        locals: [
          [1, I32],
          [3, V128],
          [1, I32],
        ],
        body: squaresBody(),
      },
    ],
    (4 * CHUNK_BYTES) / PAGE_BYTES,
  );
  const array = (index: number): Float32Array => new Float32Array(memory, index * CHUNK_BYTES, CHUNK);
  return {
    parameters: array(0),
    gradients: array(1),
    first: array(2),
    second: array(3),
    update: (count, scalars) => call.update(bytesOf(count), ...SCALARS.map((name) => scalars[name])),
    add: (count) => call.add(bytesOf(count)),
    sums: new Float64Array(memory, 2 * CHUNK_BYTES, 4),
    squares: (count) => call.squares(bytesOf(count)),
  };
}

let made: Kernel | undefined;

/** One for the process: calls are synchronous and leave nothing behind. */
export function kernel(): Kernel {
  made ??= makeKernel();
  return made;
}
