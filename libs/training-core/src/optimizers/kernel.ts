// Arithmetic over flat float32 arrays as WebAssembly functions on four elements at a time. Plain JavaScript computes in float64, one by one: an AdamW
// update of 1.9 M weights takes it 12 ms against 4; ONNX Runtime needs a dozen passes over memory and copies its results. WebAssembly's float32
// operations are IEEE's on every machine: the bits do not depend on processor, threads or chunks. (docs/decisions/0030-optimizer-in-webassembly.md)

interface Exports {
  memory: { buffer: ArrayBuffer };
  update: (...scalars: number[]) => void;
  add: (bytes: number) => void;
}

/** What of the platform's WebAssembly is used; its types come with the browser's library alone. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Exports };
};

/** Elements a call; four arrays of it stay in a core's second-level cache. */
export const CHUNK = 16_384;

const CHUNK_BYTES = 4 * CHUNK;
const PAGE_BYTES = 65_536;

/** Scalars of one update, in the order of the function's arguments. */
const SCALARS = ['beta1', 'rest1', 'beta2', 'rest2', 'factor', 'keep', 'stepSize', 'inverseRoot', 'eps'] as const;
export type UpdateScalars = Record<(typeof SCALARS)[number], number>;

type Code = readonly number[];

const unsigned = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]);
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (content: Code): Code => [...unsigned(content.length), ...content];
const section = (id: number, content: Code): Code => [id, ...sized(content)];
const text = (name: string): Code => sized([...new TextEncoder().encode(name)]);

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, ...simd(opcode)];
const add = binary(0xe4);
const sub = binary(0xe5);
const mul = binary(0xe6);
const div = binary(0xe7);
const sqrt = (a: Code): Code => [...a, ...simd(0xe3)];

// Locals: bytes, the scalars, the byte at hand, the scalars four times each, three vectors.
const BYTES = 0;
const AT = 1 + SCALARS.length;
const spread = Object.fromEntries(SCALARS.map((name, index) => [name, get(AT + 1 + index)])) as Record<keyof UpdateScalars, Code>;
const [GRADIENT, FIRST, SECOND] = [0, 1, 2].map((index) => AT + 1 + SCALARS.length + index) as [number, number, number];

/** Arrays of a chunk lie one after another: parameters, gradients, first and second moments. */
const place = (array: number): Code => [4, ...unsigned(array * CHUNK_BYTES)];
const load = (at: number, array: number): Code => [...get(at), ...simd(0x00), ...place(array)];
const store = (at: number, array: number, value: Code): Code => [...get(at), ...value, ...simd(0x0b), ...place(array)];

/** Runs `step` for `at` = 0, 16, ... while it is below `bytes`. */
const overVectors = (at: number, step: Code): Code => [
  ...[0x03, 0x40, ...step],
  ...[...get(at), 0x41, 16, 0x6a, 0x22, at], // at += 16, left on the stack
  ...[...get(BYTES), 0x49, 0x0d, 0, 0x0b],
];

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
  const locals = vector([
    [1, I32],
    [SCALARS.length + 3, V128],
  ]);
  return sized([...locals, ...splats, ...overVectors(AT, step), 0x0b]);
}

/** The first array += the second. Its one local follows its one argument. */
function addBody(): Code {
  const at = BYTES + 1;
  return sized([...vector([[1, I32]]), ...overVectors(at, store(at, 0, add(load(at, 0), load(at, 1)))), 0x0b]);
}

function moduleBytes(): Uint8Array {
  const types = [
    [0x60, ...vector([[I32], ...SCALARS.map(() => [F32])]), 0],
    [0x60, ...vector([[I32]]), 0],
  ];
  const exported = [
    [...text('memory'), 2, 0],
    [...text('update'), 0, 0],
    [...text('add'), 0, 1],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(3, vector([[0], [1]])),
    ...section(5, vector([[0, (4 * CHUNK_BYTES) / PAGE_BYTES]])),
    ...section(7, vector(exported)),
    ...section(10, vector([updateBody(), addBody()])),
  ]);
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
}

const bytesOf = (count: number): number => 16 * Math.ceil(count / 4);

function makeKernel(): Kernel {
  const { memory, update, add: sum } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports;
  const array = (index: number): Float32Array => new Float32Array(memory.buffer, index * CHUNK_BYTES, CHUNK);
  return {
    parameters: array(0),
    gradients: array(1),
    first: array(2),
    second: array(3),
    update: (count, scalars) => update(bytesOf(count), ...SCALARS.map((name) => scalars[name])),
    add: (count) => sum(bytesOf(count)),
  };
}

let made: Kernel | undefined;

/** One for the process: calls are synchronous and leave nothing behind. */
export function kernel(): Kernel {
  made ??= makeKernel();
  return made;
}
