import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor, TensorReader } from '../safetensors/reader.js';
import { writeSafetensors } from '../safetensors/writer.js';
import { readJsonObject } from './json-file.js';
import { type LlamaConfig, llamaConfigJson, parseLlamaConfig } from './llama-config.js';
import { checkLlamaTensors } from './llama-tensors.js';
import { openWeights } from './weights.js';

export interface LlamaFolder {
  config: LlamaConfig;
  weights: TensorReader;
}

/**
 * A LlamaForCausalLM in a Hugging Face folder (`config.json`, safetensors), checked whole: config, names, shapes and dtypes. The caller closes
 * `weights`. Errors: {@link ModelFormatError} by its codes.
 */
export async function openLlamaFolder(folder: string): Promise<LlamaFolder> {
  const config = parseLlamaConfig(await readJsonObject(folder, 'config.json'));
  const weights = await openWeights(folder);
  try {
    checkLlamaTensors(config, weights);
  } catch (error) {
    await weights.close();
    throw error;
  }
  return { config, weights };
}

/**
 * Writes `config.json` and `model.safetensors`; the same model gives the same bytes. Tokenizer files are the caller's to copy. Files that are
 * there already are an error.
 */
export async function writeLlamaFolder(folder: string, config: LlamaConfig, tensors: Iterable<Tensor>): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(llamaConfigJson(config), null, 2)}\n`, { flag: 'wx' });
}
