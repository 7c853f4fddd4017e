import { type Bindings, printShape, resolveShape } from '../graph/dimension.js';
import { fits, type Tensor, type TensorData } from '../graph/feeds.js';
import type { Value } from '../graph/value.js';
import type { OutputPlace } from './engine-session.js';

interface Places {
  /** The graph's outputs. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** Which input an output may take the place of. */
  readonly inPlace: Readonly<Record<string, string>>;
  readonly fetch: readonly string[];
  readonly into: Readonly<Record<string, TensorData>>;
  readonly fed: Readonly<Record<string, Tensor>>;
  readonly bindings: Bindings;
}

/** Where each fetched output goes; throws where an array given for it does not fit, or is being read by the same run. */
export const outputPlaces = ({ outputs, inPlace, fetch, into, fed, bindings }: Places): Record<string, OutputPlace> => {
  for (const name of Object.keys(into)) {
    if (!fetch.includes(name)) throw new Error(`"${name}" has an array to be written into, but is not fetched`);
  }
  const places = fetch.map((name): [string, OutputPlace] => {
    const value = outputs[name];
    if (!value) throw new Error(`"${name}" is no output of the graph`);
    const { dtype } = value;
    const shape = resolveShape(value.shape, bindings);
    const data = into[name] ?? null;
    if (data && (!fits(dtype, data) || data.length !== shape.reduce((a, b) => a * b, 1))) {
      throw new Error(`output "${name}" is ${dtype}${printShape(shape)}: the array it shall be written into holds ${data.length} elements`);
    }
    return [name, { dtype, shape, data }];
  });
  requireApart(into, inPlace, fed);
  return Object.fromEntries(places);
};

const overlap = (a: TensorData, b: TensorData): boolean =>
  a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

const requireApart = (
  into: Readonly<Record<string, TensorData>>,
  inPlace: Readonly<Record<string, string>>,
  fed: Readonly<Record<string, Tensor>>,
): void => {
  const inputsIn = new Map<ArrayBufferLike, string[]>();
  for (const [name, { data }] of Object.entries(fed)) inputsIn.set(data.buffer, [...(inputsIn.get(data.buffer) ?? []), name]);
  for (const [output, data] of Object.entries(into)) {
    for (const input of inputsIn.get(data.buffer) ?? []) {
      if (inPlace[output] === input && fed[input]!.data.byteOffset === data.byteOffset) continue;
      if (overlap(data, fed[input]!.data)) throw new Error(`output "${output}" would be written over "${input}", which this run reads`);
    }
  }
};
