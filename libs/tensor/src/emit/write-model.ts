import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmittedModel } from './emit.js';
import { encodeModel, type OnnxInitializer } from './onnx-proto.js';
import { placeWeightsFile, writeWeightsFile } from './weights-file.js';

/**
 * Writes `model.onnx` into `folder`, beside it the frozen weights given in memory and links to the files of the others; returns its path.
 */
export const writeModel = async (model: EmittedModel, folder: string): Promise<string> => {
  const inMemory = model.frozen.flatMap(({ name, source }) => ('data' in source ? [[name, source.data] as const] : []));
  const written = inMemory.length > 0 ? await writeWeightsFile(join(folder, 'weights.bin'), inMemory) : {};
  const locations = new Map<string, string>([[join(folder, 'weights.bin'), 'weights.bin']]);
  const external = model.frozen.map(({ name, type, shape, bytes: length, source }): OnnxInitializer => {
    const { file, offset } = (written[name] ?? source) as { file: string; offset: number };
    let location = locations.get(file);
    if (location === undefined) {
      location = `external-${locations.size}.bin`;
      locations.set(file, location);
      placeWeightsFile(file, folder, location);
    }
    return { name, type, shape, bytes: { location, offset, length } };
  });
  const path = join(folder, 'model.onnx');
  await writeFile(path, encodeModel({ ...model, initializers: [...model.initializers, ...external] }));
  return path;
};
