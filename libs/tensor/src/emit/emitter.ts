import type { ConstantData } from '../graph/builder.js';
import { type Dimension, isStatic, type Shape, terms } from '../graph/dimension.js';
import type { DType, FrozenSource, Value } from '../graph/value.js';
import type { OnnxAttribute, OnnxInitializer, OnnxNode } from './onnx-proto.js';

/** ONNX TensorProto.DataType of a dtype. */
export const ONNX_TYPE: Readonly<Record<DType, number>> = { f32: 1, f16: 10, i32: 6, bool: 9, i4: 21 };
export const UINT8 = 2;
const INT64 = 7;

/** ONNX operator domain of ONNX Runtime's own operators. */
export const MICROSOFT = 'com.microsoft';

/** A weight of the model that lies in a file, or will: in ONNX's terms. */
export interface FrozenTensor {
  readonly name: string;
  /** TensorProto.DataType */
  readonly type: number;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly source: FrozenSource<Float32Array | Uint8Array>;
}

/** A tensor that a value's nodes hand on among themselves. */
interface InnerTensor extends Pick<Value, 'dtype' | 'shape' | 'scope'> {
  readonly name: string;
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Collects the ONNX nodes and initializers that primitives write of themselves. */
export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly frozen: FrozenTensor[] = [];
  /** What `shape` gave out. */
  readonly shapes = new Set<string>();
  /** Tensors between the nodes of one value, of which `sized` was told. */
  readonly inner: InnerTensor[] = [];
  #next = 0;
  #prefix = '';
  #scope = '';
  #weights = new Set<string>();
  #literals = new Map<string, string>();
  #dimensions = new Map<string, string>();
  #shapes = new Map<string, string>();
  /** First input axis that carries each dimension name alone. */
  readonly #axes = new Map<string, { input: string; axis: number }>();

  /** Names of nodes made from now on begin with the value's scope and primitive: profiles add up by them. */
  enter(value: Value): void {
    this.#scope = value.scope;
    this.#prefix = `${value.scope === '' ? '' : `${value.scope}/`}${value.op.name}.${value.id}`;
  }

  /** Adds a node; returns the name of its output. */
  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}, domain = ''): string {
    return this.ops(1, type, inputs, attributes, domain)[0]!;
  }

  /** Adds a node of several outputs; returns their names. */
  ops(
    outputs: number,
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = '',
  ): readonly string[] {
    const number = this.#next++;
    const name = `${this.#prefix}/${type}.${number}`;
    // Short: ONNX Runtime hashes and compares the names of tensors again and again while it makes a session.
    const names = Array.from({ length: outputs }, (_, at) => (at === 0 ? `%${number}` : `%${number}.${at}`));
    this.nodes.push({ type, domain, name, inputs, outputs: names, attributes });
    return names;
  }

  /** Tells the sizes of a tensor between the nodes of one value; returns its name. Those of the value itself are known. */
  sized(name: string, shape: Shape, dtype: DType = 'f32'): string {
    this.inner.push({ name, dtype, shape, scope: this.#scope });
    return name;
  }

  /** A fed input: its axes tell the sizes of dimension names. */
  declareInput(name: string, shape: Shape): void {
    shape.forEach((dimension, axis) => {
      if (typeof dimension === 'string' && !this.#axes.has(dimension)) this.#axes.set(dimension, { input: name, axis });
    });
  }

  literal(data: ConstantData, dtype: DType, shape: readonly number[]): string {
    return this.#initializer(ONNX_TYPE[dtype], shape, bytesOf(data));
  }

  /** A weight that lies in a file, or will. The same name again is the same weight. */
  weight(tensor: FrozenTensor): string {
    if (!this.#weights.has(tensor.name)) this.frozen.push(tensor);
    this.#weights.add(tensor.name);
    return tensor.name;
  }

  /** A literal all of whose bytes are `byte`; one for each type and shape. */
  filled(type: number, shape: readonly number[], length: number, byte: number): string {
    const key = `${type}:${shape.join(',')}:filled ${byte}`;
    const known = this.#literals.get(key);
    if (known) return known;
    const made = this.#initializer(type, shape, new Uint8Array(length).fill(byte));
    this.#literals.set(key, made);
    return made;
  }

  /** A float32 scalar. */
  float(number: number): string {
    return this.literal(Float32Array.of(number), 'f32', []);
  }

  /** An int64 vector, as ONNX wants axes and static shapes. */
  ints(numbers: readonly number[]): string {
    return this.#initializer(INT64, [numbers.length], bytesOf(BigInt64Array.from(numbers, BigInt)));
  }

  /** A shape as an int64 vector, worked out from the feeds at run time where it holds names. */
  shape(shape: Shape): string {
    if (isStatic(shape)) return this.#noted(this.ints(shape));
    const key = shape.join(', ');
    const known = this.#shapes.get(key);
    if (known) return known;
    const sizes = shape.map((dimension) => this.dimension(dimension));
    const made = this.op('Concat', sizes, { axis: 0 });
    this.#shapes.set(key, made);
    return this.#noted(made);
  }

  #noted(shape: string): string {
    this.shapes.add(shape);
    return shape;
  }

  /** One size as an int64 vector of one element. */
  dimension(dimension: Dimension): string {
    if (typeof dimension === 'number') return this.ints([dimension]);
    const known = this.#dimensions.get(dimension);
    if (known) return known;
    const sum = terms(dimension).map(({ coefficient, names }) => {
      const factors = names.map((name) => this.#sizeOf(name));
      if (coefficient !== 1 || factors.length === 0) factors.unshift(this.ints([coefficient]));
      return factors.reduce((a, b) => this.op('Mul', [a, b]));
    });
    const made = sum.reduce((a, b) => this.op('Add', [a, b]));
    this.#dimensions.set(dimension, made);
    return made;
  }

  #sizeOf(name: string): string {
    const axis = this.#axes.get(name);
    if (!axis) throw new Error(`dimension "${name}" has no value: no input of the graph has it alone as an axis`);
    return this.op('Shape', [axis.input], { start: axis.axis, end: axis.axis + 1 });
  }

  #initializer(type: number, shape: readonly number[], bytes: Uint8Array): string {
    const key = bytes.length <= 64 ? `${type}:${shape.join(',')}:${bytes.join(',')}` : '';
    const known = this.#literals.get(key);
    if (known) return known;
    const name = `literal.${this.initializers.length}`;
    this.initializers.push({ name, type, shape, bytes });
    if (key !== '') this.#literals.set(key, name);
    return name;
  }
}
