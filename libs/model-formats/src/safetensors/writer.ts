import { open } from 'node:fs/promises';
import { ModelFormatError } from '../errors.js';
import { byteLength, compareDtypes, type Dtype } from './dtype.js';
import { LENGTH_BYTES, MAX_HEADER_BYTES } from './header.js';
import { compareBytes, type Tensor } from './reader.js';

/** A tensor's place in a file that is still to be written. */
export interface TensorShape {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
}

/** A float32 tensor over `values`, without a copy. */
export function float32Tensor(name: string, shape: readonly number[], values: Float32Array): Tensor {
  return { name, dtype: 'F32', shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/**
 * The start of a safetensors file (length and header) and the order in which the data follows, as the safetensors library lays it out: wider
 * dtypes first, then by name, header padded with spaces to a multiple of 8. The same tensors give the same bytes, whatever their order.
 * Errors: `invalid_entry` for a name given twice, `invalid_shape`, `header_too_large`.
 */
export function safetensorsLayout<T extends TensorShape>(
  tensors: Iterable<T>,
  metadata: Readonly<Record<string, string>> = {},
): { start: Uint8Array; order: T[] } {
  const order = [...tensors].sort((a, b) => compareDtypes(b.dtype, a.dtype) || compareBytes(a.name, b.name));
  // A map and hand-joined entries: an object would sort names that look like integers first, and lose `__proto__`.
  const entries = new Map<string, string>();
  const keys = Object.keys(metadata).sort(compareBytes);
  if (keys.length > 0) {
    entries.set('__metadata__', `{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`).join(',')}}`);
  }
  let at = 0;
  for (const { name, dtype, shape } of order) {
    if (name === '__metadata__' || entries.has(name)) throw new ModelFormatError('invalid_entry', `the name \`${name}\` is taken`);
    const end = at + requiredBytes(name, dtype, shape);
    entries.set(name, JSON.stringify({ dtype, shape, data_offsets: [at, end] }));
    at = end;
  }
  const json = Buffer.from(`{${[...entries].map(([name, entry]) => `${JSON.stringify(name)}:${entry}`).join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > MAX_HEADER_BYTES) throw new ModelFormatError('header_too_large', `a header of ${length} bytes is over the format's bound`);
  const start = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(length), true);
  start.set(json, LENGTH_BYTES);
  return { start, order };
}

/** A whole safetensors file in memory. */
export function serializeSafetensors(tensors: Iterable<Tensor>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  const { start, order } = safetensorsLayout(tensors, metadata);
  return Buffer.concat([start, ...order.map(checkedData)]);
}

/** Writes a safetensors file tensor by tensor and syncs it; an existing file is an error (artifacts are immutable). */
export function writeSafetensors(path: string, tensors: Iterable<Tensor>, metadata?: Readonly<Record<string, string>>): Promise<void> {
  return streamSafetensors(path, tensors, (tensor) => Promise.resolve(tensor), metadata);
}

/** Like {@link writeSafetensors}, for weights that do not fit in memory: `load` gives a tensor when its turn has come. */
export async function streamSafetensors<T extends TensorShape>(
  path: string,
  tensors: Iterable<T>,
  load: (tensor: T) => Promise<Tensor>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const { start, order } = safetensorsLayout(tensors, metadata);
  const file = await open(path, 'wx');
  try {
    await file.writeFile(start);
    for (const tensor of order) await file.writeFile(checkedData(await load(tensor)));
    await file.sync();
  } finally {
    await file.close();
  }
}

function checkedData(tensor: Tensor): Uint8Array {
  const expected = requiredBytes(tensor.name, tensor.dtype, tensor.shape);
  if (tensor.data.length !== expected) {
    throw new ModelFormatError('size_mismatch', `tensor \`${tensor.name}\` takes ${expected} bytes, its data has ${tensor.data.length}`);
  }
  return tensor.data;
}

function requiredBytes(name: string, dtype: Dtype, shape: readonly number[]): number {
  const natural = shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  const bytes = natural ? byteLength(dtype, shape) : undefined;
  if (bytes === undefined)
    throw new ModelFormatError('invalid_shape', `tensor \`${name}\`: shape [${shape.join(', ')}] of ${dtype} is not possible`);
  return bytes;
}
