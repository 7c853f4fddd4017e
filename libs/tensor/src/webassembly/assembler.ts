// Bytes of WebAssembly modules whose functions work on vectors of four 32-bit elements. (WebAssembly Core Specification 2.0, binary format)

/** Instructions, or any other part of a module. */
export type Code = readonly number[];

/** Value types. */
export const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];

export const unsigned = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]);
export const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (content: Code): Code => [...unsigned(content.length), ...content];
const section = (id: number, content: Code): Code => [id, ...sized(content)];
const text = (name: string): Code => sized([...new TextEncoder().encode(name)]);

/** An instruction on vectors. */
export const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, ...simd(opcode)];
/** A vector from, or into, memory at the byte offset in local `at` plus `offset`. */
export const load = (at: number, offset: number): Code => [...get(at), ...simd(0x00), 4, ...unsigned(offset)];
export const store = (at: number, offset: number, value: Code): Code => [...get(at), ...value, ...simd(0x0b), 4, ...unsigned(offset)];

/** Adds a positive number to a local. */
export const advance = (local: number, by: number): Code => [...get(local), 0x41, ...signed(by), 0x6a, ...set(local)];

/** Runs `body` until the local `count`, above 0 at first, is 0. */
export const times = (count: number, body: Code): Code => [
  ...[0x03, 0x40, ...body],
  ...[...get(count), 0x41, 1, 0x6b, 0x22, ...unsigned(count), 0x0d, 0, 0x0b],
];

/** Runs `step` for the local `at` = 0, stride, ... while it is below the local `end`. */
export const overBytes = (at: number, end: number, stride: number, step: Code): Code => [
  ...[0x03, 0x40, ...step],
  ...[...get(at), 0x41, ...signed(stride), 0x6a, 0x22, ...unsigned(at)], // at += stride, left on the stack
  ...[...get(end), 0x49, 0x0d, 0, 0x0b],
];

/** i32.const's operand, for values from 0. */
export const signed = (value: number): Code => (value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)]);

export interface WasmFunction {
  name: string;
  /** types of the arguments, which are the first locals */
  parameters: readonly number[];
  /** further locals, as [count, type] */
  locals: readonly (readonly [number, number])[];
  body: Code;
}

/** Memory that several threads share. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  /** Makes it larger by so many pages; throws RangeError beyond its limit. */
  grow(pages: number): number;
}

/** What of the platform's WebAssembly is used; its types come with the browser's library alone. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports?: object) => { exports: Record<string, unknown> };
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => SharedMemory;
};

export const PAGE_BYTES = 65_536;
/** What 32-bit addresses reach. */
const MOST_PAGES = 65_536;

/** Memory for threads; address space is set aside for all that it may grow to, pages as they are written. */
export const sharedMemory = (): SharedMemory => new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });

type Functions<Names extends string> = readonly (WasmFunction & { name: Names })[];
type Calls<Names extends string> = Record<Names, (...values: number[]) => void>;

const moduleBytes = (functions: readonly WasmFunction[], memory: { imports: Code; own: Code; exports: readonly Code[] }): Uint8Array =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(functions.map(({ parameters }) => [0x60, ...vector(parameters.map((type) => [type])), 0]))),
    ...memory.imports,
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...memory.own,
    ...section(7, vector([...memory.exports, ...functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)])])),
    ...section(
      10,
      vector(
        functions.map(({ locals, body }) => sized([...vector(locals.map(([count, type]) => [...unsigned(count), type])), ...body, 0x0b])),
      ),
    ),
  ]);

/** A module with a memory of `pages` x 64 KiB; its functions take numbers and give nothing. */
export function instantiate<Names extends string>(functions: Functions<Names>, pages: number): { memory: ArrayBuffer; call: Calls<Names> } {
  const own = section(5, vector([[0, ...unsigned(pages)]]));
  const bytes = moduleBytes(functions, { imports: [], own, exports: [[...text('memory'), 2, 0]] });
  const { memory, ...call } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  return { memory: (memory as { buffer: ArrayBuffer }).buffer, call: call as Calls<Names> };
}

/** Functions over memory that other threads have too. */
export function instantiateOver<Names extends string>(functions: Functions<Names>, memory: SharedMemory): Calls<Names> {
  const shared = 0x03; // with a maximum
  const imports = section(2, vector([[...text('shared'), ...text('memory'), 2, shared, 1, ...unsigned(MOST_PAGES)]]));
  const bytes = moduleBytes(functions, { imports, own: [], exports: [] });
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { shared: { memory } }).exports as Calls<Names>;
}
