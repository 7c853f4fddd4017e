import { ModelFormatError } from '../errors.js';
import { isFloatDtype } from '../safetensors/float.js';
import type { TensorReader } from '../safetensors/reader.js';

/**
 * Holds the tensors of a folder against the shapes that its config asks for.
 * Errors: `missing_tensor`, `unknown_tensor`, `invalid_shape`, `not_supported` (a dtype that is not read as numbers).
 */
export function checkTensors(
  shapes: ReadonlyMap<string, readonly number[]>,
  reader: TensorReader,
  ignored: (name: string) => boolean,
): void {
  for (const [name, shape] of shapes) {
    const info = reader.info(name);
    if (info.shape.join() !== shape.join()) {
      throw new ModelFormatError(
        'invalid_shape',
        `tensor \`${name}\` is [${info.shape.join(', ')}]; by config.json it is [${shape.join(', ')}]`,
      );
    }
    if (!isFloatDtype(info.dtype))
      throw new ModelFormatError('not_supported', `tensor \`${name}\` has dtype ${info.dtype}; F32, F16 and BF16 are read`);
  }
  for (const name of reader.names) {
    if (!shapes.has(name) && !ignored(name)) {
      throw new ModelFormatError('unknown_tensor', `tensor \`${name}\` has no place in the model that config.json describes`);
    }
  }
}
