import { type Bindings, elementCount, resolveShape } from '../graph/dimension.js';
import type { Graph, Value } from '../graph/value.js';
import { frozenOp, inputOp } from '../ops/leaves.js';
import { reshapeOp } from '../ops/movement.js';
import { isMadeBy } from '../ops/primitive.js';
import { FLOAT_BYTES } from './kernel.js';
import { ROW_KERNELS } from './kernels.js';
import { aligned, type OwnPlace, type PackedWeight, type Place, type RowStep } from './steps.js';

/** The place of an input, a size, or a buffer of each thread's own. */
type Given = { readonly input: string } | { readonly size: string } | OwnPlace;

/** A graph whose tensors have one row, as steps over memory. */
export interface RowProgram {
  readonly steps: readonly RowStep[];
  /** inputs that are copied into memory for each run */
  readonly fed: Readonly<Record<string, { at: number; count: number }>>;
  /** what a run is given, in order */
  readonly given: readonly Given[];
  readonly outputs: Readonly<Record<string, { at: number; count: number; shape: readonly number[] }>>;
  /** sizes whose float32 vectors a thread needs for itself */
  readonly scratch: readonly (number | string)[];
  /** first byte after its buffers */
  readonly end: number;
}

export interface RowProgramOptions {
  /** sizes that are the same in every run */
  readonly sizes: Bindings;
  /** frozen weights, and inputs that do not change from run to run, in memory */
  readonly placed: ReadonlyMap<Value, PackedWeight>;
  /** where its buffers begin */
  readonly at: number;
  readonly threads: number;
}

/**
 * Every value has a buffer of its own: of one row all are small. Inputs with a size that `sizes` does not have must lie in memory when they
 * are fed. Throws, with the operator's name, for what one-row kernels cannot do.
 */
export const planRows = (graph: Graph, { sizes, placed, at, threads }: RowProgramOptions): RowProgram => {
  let end = at;
  const take = (count: number): number => {
    const place = end;
    end += aligned(Math.max(1, count) * FLOAT_BYTES);
    return place;
  };
  const given: Given[] = [];
  const takeOwn = (count: number): Place => {
    const own = take(count);
    const stride = end - own;
    end += (threads - 1) * stride;
    return -given.push({ own, stride });
  };
  const givenSizes = new Map<string, Place>();
  const sizeOf = (dimension: number | string): Place => {
    const known = typeof dimension === 'number' ? dimension : (sizes.get(dimension) ?? givenSizes.get(dimension));
    if (known !== undefined) return known;
    givenSizes.set(dimension as string, -given.push({ size: dimension as string }));
    return givenSizes.get(dimension as string)!;
  };
  const isOpen = ({ shape }: Value): boolean => shape.some((dimension) => typeof dimension === 'string' && !sizes.has(dimension));
  const shapeOf = ({ shape }: Value): number[] => resolveShape(shape, sizes);
  const countOf = (value: Value): number => elementCount(shapeOf(value)) as number;
  const kindOf = (value: Value) => (value.shape.length === 2 ? placed.get(value)?.kind : undefined);

  const results = new Set(Object.values(graph.outputs));
  const places = new Map<Value, Place>();
  const fed: Record<string, { at: number; count: number }> = {};
  const steps: RowStep[] = [];
  const scratch: (number | string)[] = [];
  /** Places read since the threads last met, and those written: by rows of how many elements, if so. */
  const read = new Set<Place>();
  const written = new Map<Place, { rowsOf: number | null }>();
  for (const value of graph.values) {
    const weight = placed.get(value);
    if (weight) places.set(value, weight.at);
    else if (isMadeBy(value, frozenOp)) throw new Error(`weight "${value.attributes.name}" is not in memory`);
    else if (isMadeBy(value, inputOp)) {
      const { name } = value.attributes;
      if (isOpen(value)) places.set(value, -given.push({ input: name }));
      else {
        fed[name] = { at: take(countOf(value)), count: countOf(value) };
        places.set(value, fed[name].at);
      }
    } else if (value.op === reshapeOp) places.set(value, places.get(value.inputs[0]!)!);
    else {
      const kernel = ROW_KERNELS[value.op.name];
      if (!kernel) throw new Error(`${value.op.name} has no kernel of one row`);
      let numbers: number[];
      try {
        numbers = kernel.plan(value, { shapeOf, kindOf });
      } catch (cause) {
        throw new Error(`${value.op.name} of one row${value.scope && ` in ${value.scope}`}: ${(cause as Error).message}`, { cause });
      }
      const inputs = value.inputs.map((input) => places.get(input)!);
      const count = isOpen(value) ? 0 : countOf(value);
      if (kernel.parts === 'every' && results.has(value)) throw new Error(`${value.op.name} of one row cannot be an output`);
      const result =
        kernel.takesPlaceOf !== undefined ? inputs[kernel.takesPlaceOf]! : kernel.parts === 'every' ? takeOwn(count) : take(count);
      places.set(value, result);
      const isOwn = (operand: number, place: Place): boolean =>
        kernel.readsOwn?.includes(operand) === true && written.get(place)!.rowsOf === count;
      const waits =
        written.has(result) || read.has(result) || inputs.some((place, operand) => written.has(place) && !isOwn(operand, place));
      if (waits) {
        read.clear();
        written.clear();
      }
      for (const place of inputs) read.add(place);
      if (kernel.parts !== 'every') written.set(result, { rowsOf: kernel.parts === 'rows' ? count : null });
      if (kernel.scratch) scratch.push(kernel.scratch(value));
      steps.push({
        kernel: value.op.name,
        byFirst: kernel.parts === 'first',
        waits,
        operands: [...inputs, ...(kernel.open?.(value) ?? []).map(sizeOf)],
        result,
        numbers,
      });
    }
  }
  const outputs = Object.fromEntries(
    Object.entries(graph.outputs).flatMap(([name, value]) =>
      isOpen(value) ? [] : [[name, { at: places.get(value)!, count: countOf(value), shape: shapeOf(value) }]],
    ),
  );
  return { steps, fed, given, outputs, scratch, end };
};
