import { int4Op } from '../ops/int4.js';
import { frozenOp, inputOp } from '../ops/leaves.js';
import { isMadeBy, type NdArray } from '../ops/primitive.js';
import { dequantizeInt4, INT4_BLOCK_BYTES, int4Blocks } from '../quantization/int4.js';
import { elementCount, resolveDimension, resolveShape } from './dimension.js';
import { bindFeeds, type HostFeed, inputsOf } from './feeds.js';
import { readBytes } from './read-bytes.js';
import { type FrozenSource, graphOf, type Value } from './value.js';

/** `data`, filled from a frozen weight's file; or the weight's own array. */
const readFrozen = <Data extends Float32Array | Uint8Array>(source: FrozenSource<Data>, data: Data): Data => {
  if ('data' in source) return source.data;
  readBytes(source.file, source.offset, new Uint8Array(data.buffer));
  return data;
};

/**
 * The meaning of a graph in plain float64, one primitive after another: the oracle that every provider is compared with. Slow.
 * Feeds of f32 inputs may be Float64Array-backed NdArrays, so that finite differences keep their digits.
 */
export const evaluate = (
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, HostFeed | NdArray>>,
): Record<string, NdArray> => {
  const graph = graphOf(outputs);
  const exact = new Map<string, Float64Array>();
  const plain: Record<string, HostFeed> = {};
  for (const [name, feed] of Object.entries(feeds)) {
    if (!ArrayBuffer.isView(feed) && feed.data instanceof Float64Array) {
      exact.set(name, feed.data);
      plain[name] = { data: Float32Array.from(feed.data), shape: feed.shape };
    } else plain[name] = feed as HostFeed;
  }
  const { tensors, bindings } = bindFeeds(inputsOf(graph), plain, (name) => graph.values.some(({ builder }) => builder.declares(name)));
  const results = new Map<Value, NdArray>();
  const dataOf = (value: Value, shape: readonly number[]): Float64Array => {
    if (isMadeBy(value, inputOp)) {
      const { name } = value.attributes;
      const tensor = tensors[name]!;
      if (!('data' in tensor)) throw new Error(`feed "${name}" lies on a device: the evaluator cannot read it`);
      return exact.get(name) ?? Float64Array.from(tensor.data);
    }
    if (isMadeBy(value, frozenOp)) {
      return Float64Array.from(readFrozen(value.attributes.source, new Float32Array(elementCount(value.attributes.shape) as number)));
    }
    if (isMadeBy(value, int4Op)) {
      const { source, shape: matrix } = value.attributes;
      const [rows, columns] = matrix;
      const blocks = rows * int4Blocks(columns);
      const codes = readFrozen(source.codes, new Uint8Array(blocks * INT4_BLOCK_BYTES));
      return Float64Array.from(dequantizeInt4({ codes, scales: readFrozen(source.scales, new Float32Array(blocks)) }, rows, columns));
    }
    const inputs = value.inputs.map((input) => results.get(input)!);
    return value.op.evaluate(inputs, value.attributes, { shape, size: (dimension) => resolveDimension(dimension, bindings) });
  };
  for (const value of graph.values) {
    const shape = resolveShape(value.shape, bindings);
    results.set(value, { shape, data: dataOf(value, shape) });
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, results.get(value)!]));
};
