import type { CountedAs } from '../analysis/work.js';
import type { Emitter } from '../emit/emitter.js';
import type { Dimension, Shape } from '../graph/dimension.js';
import type { Attributes, TensorType, Value } from '../graph/value.js';

/** A plain array of the float64 evaluator: row-major; i32 as whole numbers, bool as 0 and 1. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** What the evaluator knows besides the inputs: the output's shape in this run, and any dimension's value. */
interface EvaluationContext {
  readonly shape: readonly number[];
  size(dimension: Dimension): number;
}

/**
 * Gradient rule: from the gradient of the output to one per input, null where `wanted` is false or none flows.
 * 'none': the output does not depend smoothly on any input, gradients stop here.
 */
type GradientRule<A> = GradientFunction<A> | 'none';

// Taken from a method, so that the row of a primitive with its own attributes is still a Primitive.
type GradientFunction<A> = {
  rule(value: Value & { attributes: A }, gradient: Value, wanted: readonly boolean[]): (Value | null)[];
}['rule'];

/** One row of the table of primitives. Methods, not properties: a row of narrower attributes is a row. */
export interface Primitive<A extends Attributes = Attributes> {
  readonly name: string;
  /** Type of the output; throws an Error that says what does not fit. */
  type(inputs: readonly TensorType[], attributes: A): TensorType;
  readonly gradient?: GradientRule<A> | undefined;
  /** The plain float64 meaning: oracle of every provider. */
  evaluate(inputs: readonly NdArray[], attributes: A, context: EvaluationContext): Float64Array;
  /** Its result may lie in the memory of an operand of the same type: it writes there only what nobody reads any more. Not on WebGPU. */
  readonly overwrites?: true;
  /** The shape in which its kernel writes, where its result is a view of that. */
  written?(value: Value & { attributes: A }): Shape;
  /** What its cost is counted by (`analysis/work.ts`), of a primitive that this library's table does not hold. */
  readonly work?: CountedAs;
  /** Writes ONNX nodes; returns the name of the output. */
  emit(emitter: Emitter, inputs: readonly string[], value: Value & { attributes: A }): string;
}

/** Applies a primitive: checks the inputs, adds one value to their graph. */
export const apply = <A extends Attributes>(op: Primitive<A>, inputs: readonly [Value, ...Value[]], attributes: A): Value =>
  inputs[0].builder.append(op as Primitive, inputs, attributes);

/** Whether a value was made by this primitive, and so has its attributes. */
export const isMadeBy = <A extends Attributes>(value: Value, op: Primitive<A>): value is Value & { attributes: A } =>
  value.op === (op as Primitive);
