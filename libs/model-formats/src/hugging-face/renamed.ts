import { ModelFormatError } from '../errors.js';
import type { TensorInfo } from '../safetensors/header.js';
import { compareBytes, type TensorReader } from '../safetensors/reader.js';

/** The same tensors under the names that `rename` gives them. */
export function renamed(reader: TensorReader, rename: (name: string) => string): TensorReader {
  const own = new Map(reader.names.map((name) => [rename(name), name]));
  const nameOf = (name: string): string => {
    const found = own.get(name);
    if (found === undefined) throw new ModelFormatError('missing_tensor', `there is no tensor \`${name}\``);
    return found;
  };
  return {
    names: [...own.keys()].sort(compareBytes),
    info: (name): TensorInfo => ({ ...reader.info(nameOf(name)), name }),
    bytes: (name) => reader.bytes(nameOf(name)),
    float32: (name) => reader.float32(nameOf(name)),
    close: () => reader.close(),
  };
}
