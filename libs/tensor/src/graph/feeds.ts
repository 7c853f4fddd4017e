import { type InputAttributes, inputOp } from '../ops/leaves.js';
import { isMadeBy } from '../ops/primitive.js';
import { type Bindings, elementCount, isStatic, printShape, resolveShape, type Shape } from './dimension.js';
import type { DType, Graph } from './value.js';

export type TensorData = Float32Array | Int32Array | Uint8Array;

/** A tensor outside a graph: row-major elements and their shape. */
export interface Tensor<Data extends TensorData = TensorData> {
  readonly data: Data;
  readonly shape: readonly number[];
}

/** A tensor whose elements lie in a device's memory, not in this process's. */
export interface RemoteTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Bare data stands for a tensor of the input's own shape; at most one of its axes may then be a name. */
export type HostFeed = Tensor | TensorData;
/** The same, or a tensor on a device. */
export type Feed = HostFeed | RemoteTensor;

const isRemote = (tensor: Tensor | RemoteTensor): tensor is RemoteTensor => 'dtype' in tensor;

export const inputsOf = (graph: Graph): InputAttributes[] =>
  graph.values.flatMap((value) => (isMadeBy(value, inputOp) ? [value.attributes] : []));

/** Whether an array holds elements of a dtype. */
export const fits = (dtype: DType, data: TensorData): boolean => {
  if (dtype === 'f32') return data instanceof Float32Array;
  if (dtype === 'i32') return data instanceof Int32Array;
  return dtype === 'bool' && data instanceof Uint8Array;
};

const shapeOfBare = (name: string, shape: Shape, length: number): number[] => {
  if (isStatic(shape)) return [...shape];
  const open = shape.filter((dimension) => typeof dimension === 'string');
  if (open.length !== 1) throw new Error(`feed "${name}" ${printShape(shape)}: give {data, shape}, more than one axis is open`);
  const rest = elementCount(shape.filter((dimension) => typeof dimension === 'number')) as number;
  if (rest === 0 || length % rest !== 0) throw new Error(`feed "${name}": ${length} elements do not fit ${printShape(shape)}`);
  return shape.map((dimension) => (typeof dimension === 'number' ? dimension : length / rest));
};

/** The values that these feeds give the dimension names of a graph's inputs; inputs that are not among them are passed over. */
export const sizesOf = (graph: Graph, feeds: Readonly<Record<string, Feed>>): Bindings => {
  const sizes = new Map<string, number>();
  for (const { name, shape } of inputsOf(graph)) {
    const feed = feeds[name];
    if (feed === undefined) continue;
    const fed = ArrayBuffer.isView(feed) ? shapeOfBare(name, shape, feed.length) : feed.shape;
    for (const [axis, dimension] of shape.entries()) if (typeof dimension === 'string') sizes.set(dimension, fed[axis]!);
  }
  return sizes;
};

/**
 * Checks feeds against the inputs of a graph; returns full tensors and the values of the dimension names. Feeds for inputs that were
 * `declared` but are not needed for these outputs are ignored, so that one set of feeds does for several graphs.
 */
export const bindFeeds = (
  inputs: readonly InputAttributes[],
  feeds: Readonly<Record<string, Feed>>,
  declared: (name: string) => boolean,
): { tensors: Record<string, Tensor | RemoteTensor>; bindings: Bindings } => {
  const known = new Set(inputs.map(({ name }) => name));
  const unknown = Object.keys(feeds).find((name) => !known.has(name) && !declared(name));
  if (unknown !== undefined) throw new Error(`feed "${unknown}" is no input of the graph`);
  const bindings = new Map<string, number>();
  const tensors: Record<string, Tensor | RemoteTensor> = {};
  for (const { name, dtype, shape } of inputs) {
    const feed = feeds[name];
    if (feed === undefined) throw new Error(`input "${name}" was not fed`);
    const tensor = ArrayBuffer.isView(feed) ? { data: feed, shape: shapeOfBare(name, shape, feed.length) } : feed;
    if (isRemote(tensor) ? tensor.dtype !== dtype : !fits(dtype, tensor.data))
      throw new Error(`feed "${name}" must hold ${dtype} elements`);
    const count = isRemote(tensor) ? elementCount(tensor.shape) : tensor.data.length;
    if (tensor.shape.length !== shape.length || elementCount(tensor.shape) !== count) {
      throw new Error(`feed "${name}": ${count} elements as ${printShape(tensor.shape)} do not fit ${printShape(shape)}`);
    }
    shape.forEach((dimension, axis) => {
      if (typeof dimension === 'string' && !bindings.has(dimension)) bindings.set(dimension, tensor.shape[axis]!);
    });
    tensors[name] = tensor;
  }
  for (const { name, shape } of inputs) {
    const wanted = resolveShape(shape, bindings);
    if (wanted.some((dimension, axis) => dimension !== tensors[name]!.shape[axis])) {
      throw new Error(`feed "${name}" is ${printShape(tensors[name]!.shape)}, this run needs ${printShape(shape)} = ${printShape(wanted)}`);
    }
  }
  return { tensors, bindings };
};
