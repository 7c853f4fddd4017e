// One of the threads that run one-row programs. All of them run every program together, each its part of every step. The first has an event
// loop and answers; it opens the gate at which the others wait: woken one after the other like this, each is given a processor of its own,
// woken at once two of them often share one.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { SharedMemory } from '../webassembly/assembler.js';
import { BARRIER_BYTES, meet, openGate, passGate } from './barrier.js';
import type { RowKernel, RowThread } from './kernel.js';
import { ROW_KERNELS } from './kernels.js';
import { loadWeights } from './load-weights.js';
import { rowProducts } from './products.js';
import type { FromThread, RowStep, ToThread } from './steps.js';

export interface RowThreadData {
  readonly memory: SharedMemory;
  readonly number: number;
  readonly threads: number;
  /** What is said to a thread that waits at the gate. */
  readonly port: MessagePort | null;
}

/**
 * Looks at a word before a thread sleeps, 10 ns each: others come within some microseconds, unless another program has their processor,
 * or a thread that looks. With 20,000 and more a token took longer.
 */
const LOOKS = 5_000;
/** Waiting for others, a thread reads on: lines of the cache after each look, bytes at most (of a second-level cache of 1 MiB a core). */
const [LINES_A_LOOK, LINE_BYTES, AHEAD_BYTES] = [4, 64, 256 << 10];

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

const heed = (message: ToThread): void => {
  if (message.type === 'keep') keep(message);
  else if (message.type === 'forget') programs.delete(message.program);
  else if (message.type === 'pack') answer({ type: 'packed', ...loadWeights(memory, message.weights, message.at) });
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
