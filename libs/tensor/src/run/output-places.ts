import { type Bindings, printShape, resolveShape, sameShape } from '../graph/dimension.js';
import { fits, type TensorData } from '../graph/feeds.js';
import type { DType, TensorType } from '../graph/value.js';
import { DeviceTensor } from './device-tensor.js';
import type { FedTensor, OutputPlace } from './engine-session.js';

interface Places {
  /** The graph's outputs. */
  readonly outputs: Readonly<Record<string, TensorType>>;
  /** Which input an output may take the place of. */
  readonly inPlace: Readonly<Record<string, string>>;
  readonly fetch: readonly string[];
  readonly into: Readonly<Record<string, TensorData | DeviceTensor>>;
  readonly fed: Readonly<Record<string, FedTensor>>;
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
    if (data) requireFit(name, { dtype, shape }, data);
    return [name, { dtype, shape, data }];
  });
  requireApart(into, inPlace, fed);
  return Object.fromEntries(places);
};

const requireFit = (name: string, { dtype, shape }: { dtype: DType; shape: readonly number[] }, data: TensorData | DeviceTensor): void => {
  const is = `output "${name}" is ${dtype}${printShape(shape)}`;
  if (data instanceof DeviceTensor) {
    if (data.dtype !== dtype || !sameShape(data.shape, shape)) {
      throw new Error(`${is}: the device tensor it shall be written into is ${data.dtype}${printShape(data.shape)}`);
    }
  } else if (!fits(dtype, data) || data.length !== shape.reduce((a, b) => a * b, 1)) {
    throw new Error(`${is}: the array it shall be written into holds ${data.length} elements`);
  }
};

/** Whose memory it is: arrays with the same may overlap. */
const memoryOfData = (data: TensorData | DeviceTensor): object => (data instanceof DeviceTensor ? data : data.buffer);

const overlap = (a: TensorData | DeviceTensor, b: TensorData | DeviceTensor): boolean =>
  a instanceof DeviceTensor || b instanceof DeviceTensor
    ? a === b
    : a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

const sameStart = (a: TensorData | DeviceTensor, b: TensorData | DeviceTensor): boolean =>
  a instanceof DeviceTensor || b instanceof DeviceTensor ? a === b : a.byteOffset === b.byteOffset;

const requireApart = (
  into: Readonly<Record<string, TensorData | DeviceTensor>>,
  inPlace: Readonly<Record<string, string>>,
  fed: Readonly<Record<string, FedTensor>>,
): void => {
  const inputsIn = new Map<object, string[]>();
  for (const [name, { data }] of Object.entries(fed)) {
    const memory = memoryOfData(data);
    inputsIn.set(memory, [...(inputsIn.get(memory) ?? []), name]);
  }
  for (const [output, data] of Object.entries(into)) {
    for (const input of inputsIn.get(memoryOfData(data)) ?? []) {
      const read = fed[input]!.data;
      if (inPlace[output] === input && sameStart(data, read)) continue;
      if (overlap(data, read)) throw new Error(`output "${output}" would be written over "${input}", which this run reads`);
    }
  }
};
