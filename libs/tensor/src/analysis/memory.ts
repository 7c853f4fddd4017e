import { type Bindings, elementCount, resolveShape } from '../graph/dimension.js';
import type { DType, Graph, Value } from '../graph/value.js';
import { addMatmulOp } from '../ops/add-matmul.js';
import { gatherOp } from '../ops/indexing.js';
import { dequantizeOp, int4LinearOp, int4Op } from '../ops/int4.js';
import { frozenOp, inputOp } from '../ops/leaves.js';
import { matmulOp } from '../ops/matmul.js';
import { isMadeBy, type Primitive } from '../ops/primitive.js';
import { INT4_BLOCK } from '../quantization/int4.js';
import { Arena, type Block } from './arena.js';
import { planBuffers, type SharedBuffer } from './buffers.js';

/** Bytes that a compiled graph needs for one run. */
export interface GraphMemory {
  /** results of operators, at most at once, as the arena lays them out */
  readonly activations: number;
  /** frozen weights, mapped from their file: all of them, but of tables of which rows are gathered only those rows' surroundings */
  readonly weights: number;
  /**
   * where the session prepacks: a copy of the weight for each product that reads it, and the weights of which something else needs the
   * original
   */
  readonly packed: { readonly copies: number; readonly originals: number };
  /** outputs: the caller's memory */
  readonly outputs: number;
}

/** An element of a matrix in 4-bit blocks has its part of the block's scale. */
const BYTES: Readonly<Record<DType, number>> = { f32: 4, f16: 2, i32: 4, bool: 1, i4: 0.5 + 4 / INT4_BLOCK };

/** What Linux maps around an address that is read (fault_around_bytes), where the file is in its cache. */
const FAULT_AROUND = 2 ** 16;

/** Of frozen tables that nothing but gathers read: how many rows are, at most. */
const gatheredRows = (graph: Graph, bindings: Bindings): Map<Value, number> => {
  const rows = new Map<Value, number>();
  for (const value of graph.values)
    value.inputs.forEach((input, place) => {
      if (!isMadeBy(input, frozenOp)) return;
      const ids =
        isMadeBy(value, gatherOp) && place === 0
          ? (elementCount(resolveShape(value.inputs[1]!.shape, bindings)) as number)
          : Number.POSITIVE_INFINITY;
      rows.set(input, (rows.get(input) ?? 0) + ids);
    });
  return rows;
};

/** A later run finds the regions of the first: its blocks lie elsewhere in them, and reach farther. */
const RUNS = 3;

/** Takes and gives the buffers of one run, each operator's before those that end with it. */
const layOut = (buffers: readonly SharedBuffer[], bytesOf: (value: Value) => number, arena: Arena): void => {
  const ending = buffers.toSorted((a, b) => a.until - b.until);
  const blocks = new Map<SharedBuffer, Block>();
  const giveUntil = (place: number): void => {
    while (ending.length > 0 && ending[0]!.until < place) arena.give(blocks.get(ending.shift()!)!);
  };
  for (const buffer of buffers) {
    giveUntil(buffer.from);
    blocks.set(buffer, arena.take(bytesOf(buffer.value)));
  }
  giveUntil(Number.POSITIVE_INFINITY);
};

/** Memory of one run of a lowered graph whose dimension names have these values. */
export const graphMemory = (graph: Graph, bindings: Bindings): GraphMemory => {
  const bytesOf = (value: Value): number => (elementCount(resolveShape(value.shape, bindings)) as number) * BYTES[value.dtype];
  const outputs = new Set(Object.values(graph.outputs));
  const arena = new Arena();
  const buffers = planBuffers(graph);
  for (let run = 0; run < RUNS; run++) layOut(buffers, bytesOf, arena);
  const sum = (values: Iterable<Value>): number => [...values].reduce((total, value) => total + bytesOf(value), 0);
  const frozen = graph.values.filter((value) => isMadeBy(value, frozenOp));
  const gathered = gatheredRows(graph, bindings);
  const mappedBytes = (values: Iterable<Value>): number =>
    [...values].reduce(
      (total, value) => total + Math.min(bytesOf(value), FAULT_AROUND * (gathered.get(value) ?? Number.POSITIVE_INFINITY)),
      0,
    );
  // The forward and the backward pass read 4-bit codes as tensors of another type each, and each is mapped.
  const mapped = (op: Primitive): Value[] => [...new Set(graph.values.flatMap((value) => (isMadeBy(value, op) ? value.inputs : [])))];
  const quantized = [int4LinearOp, dequantizeOp].flatMap((op) => mapped(op).filter((value) => isMadeBy(value, int4Op)));
  // A product packs a constant second operand for itself.
  const packs = (value: Value): Value | null =>
    (isMadeBy(value, matmulOp) || isMadeBy(value, addMatmulOp)) && isMadeBy(value.inputs[1]!, frozenOp) ? value.inputs[1]! : null;
  const otherwise = new Set(graph.values.flatMap((value) => value.inputs.filter((input) => input !== packs(value))));
  return {
    activations: arena.size,
    weights: mappedBytes(frozen) + sum(quantized),
    packed: {
      copies: sum(graph.values.flatMap((value) => packs(value) ?? [])),
      originals: mappedBytes(frozen.filter((value) => otherwise.has(value))) + sum(quantized),
    },
    outputs: sum([...outputs].filter((value) => !isMadeBy(value, inputOp))),
  };
};
