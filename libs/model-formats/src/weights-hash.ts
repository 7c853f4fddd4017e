import { createHash } from 'node:crypto';
import { compareBytes, type Tensor, type TensorReader } from './safetensors/reader.js';

/**
 * `weights_sha256` of a version: over each tensor in byte order of names: name, NUL, safetensors dtype, NUL, shape joined by `,`, NUL,
 * little-endian bytes. Independent of how the tensors are spread over files. For an adapter: its own tensors under PEFT's names.
 * Returns 64 hexadecimal digits.
 */
export function weightsSha256(tensors: Iterable<Tensor>): string {
  const hash = createHash('sha256');
  for (const tensor of [...tensors].sort((a, b) => compareBytes(a.name, b.name))) {
    hash.update(prefix(tensor)).update(tensor.data);
  }
  return hash.digest('hex');
}

/** {@link weightsSha256} of tensors on disk, one in memory at a time. */
export async function weightsSha256Of(reader: TensorReader): Promise<string> {
  const hash = createHash('sha256');
  for (const name of reader.names) hash.update(prefix(reader.info(name))).update(await reader.bytes(name));
  return hash.digest('hex');
}

function prefix({ name, dtype, shape }: Pick<Tensor, 'name' | 'dtype' | 'shape'>): string {
  return `${name}\0${dtype}\0${shape.join(',')}\0`;
}
