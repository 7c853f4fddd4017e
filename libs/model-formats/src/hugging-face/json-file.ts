import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonError, type JsonObject, parseStrictJson } from '@tunefleet/strict-json';
import { ModelFormatError } from '../errors.js';

/** Bytes of the largest JSON file read from a model folder: an index of 100,000 tensors. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;
const MAX_DEPTH = 32;

/** A JSON object from a model folder. Errors: `missing_file`, `invalid_config`. */
export async function readJsonObject(folder: string, name: string): Promise<JsonObject> {
  const bytes = await readBounded(folder, name);
  try {
    const value = parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), { maxDepth: MAX_DEPTH });
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    if (cause instanceof JsonError)
      throw new ModelFormatError('invalid_config', `${name}, at character ${cause.offset + 1}: ${cause.message}`, { cause });
    throw new ModelFormatError('invalid_config', `${name} is not UTF-8`, { cause });
  }
  throw new ModelFormatError('invalid_config', `${name} must hold an object`);
}

async function readBounded(folder: string, name: string): Promise<Uint8Array> {
  const file = await open(join(folder, name)).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new ModelFormatError('missing_file', `the folder has no ${name}`, { cause });
    throw cause;
  });
  try {
    const { size } = await file.stat();
    if (size > MAX_JSON_BYTES) throw new ModelFormatError('invalid_config', `${name} has ${size} bytes, ${MAX_JSON_BYTES} are allowed`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
