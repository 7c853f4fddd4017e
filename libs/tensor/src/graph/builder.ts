import { int4Op } from '../ops/int4.js';
import { constantOp, frozenOp, inputOp } from '../ops/leaves.js';
import type { Primitive } from '../ops/primitive.js';
import { canonical, elementCount, isStatic, printShape, type Shape } from './dimension.js';
import type { Attributes, DType, FrozenSource, Int4Source, Value } from './value.js';

export type ConstantData = Float32Array | Int32Array | Uint8Array;

/** Where values are made. Values of different builders cannot meet. */
export class GraphBuilder {
  #next = 0;
  #scopes: string[] = [];
  #names = new Set<string>();
  #scalars = new Map<string, Value>();

  /** A tensor fed at every run. A dimension may be a name ("tokens"): its size is then each run's own. */
  input(name: string, dtype: DType, shape: Shape): Value {
    return this.#leaf(inputOp, name, { name, dtype, shape: shape.map(canonical), trainable: false });
  }

  /** A trainable weight: float32, fed at every run like an input, and something `gradients` may be asked for. */
  parameter(name: string, shape: readonly number[]): Value {
    return this.#leaf(inputOp, name, { name, dtype: 'f32', shape, trainable: true });
  }

  /** A float32 weight that never changes: part of the compiled model, never fed. */
  frozen(name: string, shape: readonly number[], source: FrozenSource): Value {
    if ('data' in source && source.data.length !== elementCount(shape)) {
      throw new Error(`frozen "${name}" ${printShape(shape)} was given ${source.data.length} elements`);
    }
    return this.#leaf(frozenOp, name, { name, shape, source });
  }

  /** A weight [rows, columns] in 4-bit blocks that never changes. */
  frozenInt4(name: string, shape: readonly [rows: number, columns: number], source: Int4Source): Value {
    return this.#leaf(int4Op, name, { name, shape, source });
  }

  /** A small tensor known now (default: a float32 scalar). Typed array decides the dtype; Uint8Array is bool. */
  constant(data: number | ConstantData, shape?: readonly number[]): Value {
    if (typeof data === 'number') return this.scalar(data, 'f32');
    const dtype = data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : 'bool';
    return this.append(constantOp, [], { dtype, shape: shape ?? [data.length], data });
  }

  /** A rank-0 constant; the same one each time it is asked for. */
  scalar(number: number, dtype: DType): Value {
    const key = `${dtype}:${Object.is(number, -0) ? '-0' : number}`;
    const known = this.#scalars.get(key);
    if (known) return known;
    const data = dtype === 'f32' ? Float64Array.of(number) : dtype === 'i32' ? Int32Array.of(number) : Uint8Array.of(number);
    const made = this.append(constantOp, [], { dtype, shape: [], data });
    this.#scalars.set(key, made);
    return made;
  }

  /** Whether an input or weight of this name was made. */
  declares(name: string): boolean {
    return this.#names.has(name);
  }

  /** Names of all inputs and weights that were made. */
  get declared(): string[] {
    return [...this.#names];
  }

  /** Values made inside `build` carry `name` as a part of their scope. */
  scope<T>(name: string, build: () => T): T {
    this.#scopes.push(name);
    try {
      return build();
    } finally {
      this.#scopes.pop();
    }
  }

  /** Adds one value. Ops call it through `apply`; passes when they rebuild a graph. */
  append(
    op: Primitive,
    inputs: readonly Value[],
    attributes: Attributes,
    scope = this.#scopes.filter((part) => part !== '').join('/'),
  ): Value {
    for (const input of inputs) {
      if (input.builder !== this) throw new Error(`${op.name}: an input belongs to another graph`);
    }
    let type: ReturnType<Primitive['type']>;
    try {
      type = op.type(inputs, attributes);
    } catch (cause) {
      const given = inputs.map((input) => `${input.dtype}${printShape(input.shape)}`).join(', ');
      const where = scope === '' ? '' : ` in ${scope}`;
      throw new Error(`${op.name}(${given})${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    const id = this.#next++;
    return Object.freeze({ id, op, inputs: [...inputs], attributes, scope, builder: this, dtype: type.dtype, shape: type.shape });
  }

  #leaf<A extends { shape: Shape }>(op: Primitive<A>, name: string, attributes: A): Value {
    if (this.#names.has(name)) throw new Error(`the graph already has an input or weight named "${name}"`);
    if (op.name === frozenOp.name && !isStatic(attributes.shape)) throw new Error(`frozen "${name}" needs a static shape`);
    this.#names.add(name);
    return this.append(op, [], attributes);
  }
}
