import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelFormatError } from '../errors.js';
import type { TensorInfo } from '../safetensors/header.js';
import { compareBytes, openSafetensors, type SafetensorsFile, type TensorReader } from '../safetensors/reader.js';
import { readJsonObject } from './json-file.js';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** The shards of one model as one set of tensors. */
class Shards implements TensorReader {
  readonly names: readonly string[];

  constructor(
    private readonly files: readonly SafetensorsFile[],
    private readonly home: ReadonlyMap<string, SafetensorsFile>,
  ) {
    this.names = [...home.keys()].sort(compareBytes);
  }

  info(name: string): TensorInfo {
    return this.fileOf(name).info(name);
  }

  bytes(name: string): Promise<Uint8Array> {
    return this.fileOf(name).bytes(name);
  }

  float32(name: string): Promise<Float32Array> {
    return this.fileOf(name).float32(name);
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }

  private fileOf(name: string): SafetensorsFile {
    const file = this.home.get(name);
    if (!file) throw new ModelFormatError('missing_tensor', `there is no tensor \`${name}\``);
    return file;
  }
}

/**
 * The weights of a Hugging Face folder: `model.safetensors`, or the shards named by its index.
 * Errors: those of safetensors; `missing_file`; `pickle` where only a `.bin` is there; `invalid_config` for an index that does not fit its shards.
 */
export async function openWeights(folder: string): Promise<TensorReader> {
  const files = new Set(await readdir(folder));
  if (files.has(SINGLE)) return openSafetensors(join(folder, SINGLE));
  if (files.has(INDEX)) return openShards(folder);
  const pickled = [...files].find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  if (pickled !== undefined) {
    throw new ModelFormatError(
      'pickle',
      `the weights are in ${pickled}, a Python pickle: reading it can run code. Convert it to safetensors`,
    );
  }
  throw new ModelFormatError('missing_file', `the folder has neither ${SINGLE} nor ${INDEX}`);
}

async function openShards(folder: string): Promise<TensorReader> {
  const map = (await readJsonObject(folder, INDEX))['weight_map'];
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new ModelFormatError('invalid_config', `${INDEX} has no \`weight_map\``);
  const opened = new Map<string, SafetensorsFile>();
  const home = new Map<string, SafetensorsFile>();
  try {
    for (const [tensor, shard] of Object.entries(map)) {
      // The name comes from a stranger: it stays within the folder.
      if (typeof shard !== 'string' || !/^[\w][\w.-]*\.safetensors$/.test(shard)) {
        throw new ModelFormatError('invalid_config', `${INDEX}: ${JSON.stringify(shard)} is not the name of a safetensors file beside it`);
      }
      const file = opened.get(shard) ?? (await openSafetensors(join(folder, shard)));
      opened.set(shard, file);
      file.info(tensor);
      home.set(tensor, file);
    }
    for (const [shard, file] of opened) {
      const stray = file.names.find((name) => home.get(name) !== file);
      if (stray !== undefined)
        throw new ModelFormatError('invalid_config', `${shard} holds \`${stray}\`, which ${INDEX} does not place there`);
    }
  } catch (error) {
    for (const file of opened.values()) await file.close();
    throw error;
  }
  return new Shards([...opened.values()], home);
}
