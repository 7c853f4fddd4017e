// One of the threads that run one-row programs. All of them run every program together, each its part of every step. The first has an event loop and answers;
// it opens the gate at which the others wait: woken one after the other like this, each is given a processor of its own, woken at once two of them often share one.

import { closeSync, openSync, readSync } from 'node:fs';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { FrozenSource } from '../graph/value.js';
import { PAGE_BYTES, type SharedMemory } from './assembler.js';
import { BARRIER_BYTES, meet, openGate, passGate } from './barrier.js';
import { areBfloat16, groupBytes, groupsOf, packRows } from './pack-rows.js';
import { ROW_KERNELS, type RowKernel, type RowThread } from './row-kernels.js';
import { ELEMENT_BYTES, GROUP_ROWS, type MatrixKind, rowProducts } from './row-products.js';
import { aligned, type FromThread, type PackedWeight, type RowStep, type RowWeight, type ToThread } from './row-steps.js';

export interface RowThreadData {
  readonly memory: SharedMemory;
  readonly number: number;
  readonly threads: number;
  /** What is said to a thread that waits at the gate. */
  readonly port: MessagePort | null;
}

/** Bytes of a matrix that are read at once. */
const READ_BYTES = 4 << 20;
/**
 * Looks at a word before a thread sleeps, 10 ns each: others come within some microseconds, unless another program has their processor, or a thread that looks.
 * With 20,000 and more tokens took longer.
 */
const LOOKS = 5_000;
/**
 * Waiting for others, a thread reads on: lines of the cache after each look, up to half of a second-level cache. A token took 4 to 6 % less time.
 */
const [LINES_A_LOOK, LINE_BYTES, AHEAD_BYTES] = [4, 64, 256 << 10];
const FLOAT_BYTES = 4;

const { memory, number, threads, port } = workerData as RowThreadData;
const products = rowProducts(memory);

interface KeptStep {
  readonly step: RowStep;
  readonly kernel: RowKernel;
  /** whether a run decides some of its places */
  readonly open: boolean;
  /** what this thread reads first of the weights of the next product, this one or one after it */
  readonly ahead: { readonly at: number; readonly end: number };
}
const programs = new Map<number, KeptStep[]>();

const share = (count: number): [number, number] => [Math.floor((count * number) / threads), Math.floor((count * (number + 1)) / threads)];

/** `count` elements of a source from `element` on, as bits. */
const bitsOf = (source: FrozenSource, element: number, count: number): Uint32Array => {
  if ('data' in source) return new Uint32Array(source.data.buffer, source.data.byteOffset + FLOAT_BYTES * element, count);
  const bits = new Uint32Array(count);
  const bytes = new Uint8Array(bits.buffer);
  const file = openSync(source.file, 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(file, bytes, at, bytes.length - at, source.offset + FLOAT_BYTES * element + at);
      if (read === 0) throw new Error(`${source.file} ends before byte ${source.offset + FLOAT_BYTES * element + bytes.length}`);
      at += read;
    }
  } finally {
    closeSync(file);
  }
  return bits;
};

/** Makes memory reach `end` bytes. */
const reach = (end: number): void => {
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
};

/** Packs a matrix at `at`; null where it is not all bfloat16 and `kind` says so. */
const packAs = (kind: MatrixKind, { source, shape }: RowWeight, at: number): number | null => {
  const [rows, columns] = shape as [number, number];
  const bytes = groupBytes(kind, columns);
  const end = at + groupsOf(rows) * bytes;
  reach(end);
  const buffer = memory.buffer as unknown as ArrayBuffer; // this version of the types has views of ArrayBuffer only
  const groups = Math.max(1, Math.floor(READ_BYTES / (GROUP_ROWS * columns * FLOAT_BYTES)));
  for (let group = 0; group < groupsOf(rows); group += groups) {
    const first = group * GROUP_ROWS;
    const bits = bitsOf(source, first * columns, Math.min(groups * GROUP_ROWS, rows - first) * columns);
    if (kind === 'bf16' && !areBfloat16(bits)) return null;
    const [from, to] = [at + group * bytes, at + Math.min(group + groups, groupsOf(rows)) * bytes];
    new Uint8Array(buffer, from, to - from).fill(0);
    const elements = (to - from) / ELEMENT_BYTES[kind];
    packRows(kind, bits, columns, kind === 'bf16' ? new Uint16Array(buffer, from, elements) : new Uint32Array(buffer, from, elements));
  }
  return end;
};

const pack = (weight: RowWeight, at: number): { packed: PackedWeight; end: number } => {
  if (weight.shape.length !== 2) {
    const count = weight.shape.reduce((a, b) => a * b, 1);
    reach(at + aligned(count * FLOAT_BYTES));
    new Uint32Array(memory.buffer, at, count).set(bitsOf(weight.source, 0, count));
    return { packed: { at, kind: 'f32' }, end: aligned(at + count * FLOAT_BYTES) };
  }
  const asHalves = packAs('bf16', weight, at);
  if (asHalves !== null) return { packed: { at, kind: 'bf16' }, end: aligned(asHalves) };
  return { packed: { at, kind: 'f32' }, end: aligned(packAs('f32', weight, at)!) };
};

/** Of what was read ahead: a number that nobody needs would not be read. */
const seen = new Int32Array(1);

const run = ({ program, given, scratch }: Extract<ToThread, { type: 'run' }>): void => {
  // Memory may have grown: a view shows what there was when it was made.
  const { buffer } = memory;
  const i32 = new Int32Array(buffer);
  const thread: RowThread = {
    f32: new Float32Array(buffer),
    i32,
    u16: new Uint16Array(buffer),
    products,
    scratch: scratch.at + number * scratch.bytes,
    share,
  };
  const here = given.map((entry) => (typeof entry === 'number' ? entry : entry.own + number * entry.stride));
  const resolved = (place: number): number => (place < 0 ? here[-1 - place]! : place);
  let ahead = { at: 0, end: 0 };
  const readAhead = (): void => {
    for (let line = 0; line < LINES_A_LOOK && ahead.at < ahead.end; line++, ahead.at += LINE_BYTES) seen[0]! ^= i32[ahead.at / 4]!;
  };
  for (const { step, kernel, open, ahead: next } of programs.get(program)!) {
    if (step.waits) {
      ahead = { ...next };
      meet(i32, threads, LOOKS, readAhead);
    }
    if (step.byFirst && number > 0) continue;
    if (open) kernel.run(thread, step.operands.map(resolved), resolved(step.result), step.numbers);
    else kernel.run(thread, step.operands, step.result, step.numbers);
  }
};

const answer = (message: FromThread): void => parentPort!.postMessage(message);
/** The part of memory that threads wait by is there from the beginning. */
const words = new Int32Array(memory.buffer, 0, BARRIER_BYTES / Int32Array.BYTES_PER_ELEMENT);

const keep = ({ program, steps }: Extract<ToThread, { type: 'keep' }>): void => {
  const kept: KeptStep[] = [];
  let ahead = { at: 0, end: 0 };
  for (const step of steps.toReversed()) {
    const kernel = ROW_KERNELS[step.kernel]!;
    const own = kernel.reads?.(share, step.operands, step.numbers);
    if (own) ahead = { at: own.at, end: Math.min(own.end, own.at + AHEAD_BYTES) };
    kept.push({ step, kernel, open: [step.result, ...step.operands].some((place) => place < 0), ahead });
  }
  programs.set(program, kept.toReversed());
};

const packAll = ({ weights, at }: Extract<ToThread, { type: 'pack' }>): FromThread => {
  let end = at;
  const places = weights.map((weight) => {
    const { packed, end: next } = pack(weight, end);
    end = next;
    return packed;
  });
  return { type: 'packed', places, end };
};

const heed = (message: ToThread): void => {
  if (message.type === 'keep') keep(message);
  else if (message.type === 'forget') programs.delete(message.program);
  else if (message.type === 'pack') answer(packAll(message));
  else {
    if (number === 0) openGate(words);
    run(message);
    meet(words, threads, LOOKS);
    if (number === 0) answer({ type: 'ran' });
  }
};

if (port === null) parentPort!.on('message', heed);
else {
  for (let opened = 0; ; ) {
    opened = passGate(words, opened);
    for (let received = receiveMessageOnPort(port); received; received = receiveMessageOnPort(port)) heed(received.message as ToThread);
  }
}
