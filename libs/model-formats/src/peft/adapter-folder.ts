import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelFormatError } from '../errors.js';
import { readJsonObject } from '../hugging-face/json-file.js';
import { isFloatDtype } from '../safetensors/float.js';
import { openSafetensors, type Tensor, type TensorReader } from '../safetensors/reader.js';
import { float32Tensor, writeSafetensors } from '../safetensors/writer.js';
import { type LoraConfig, loraConfigJson, parseLoraConfig } from './adapter-config.js';

const PREFIX = 'base_model.model.';
const NAME = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

/** The two factors of one linear [out, in]: `a` [rank, in], `b` [out, rank], row-major. */
export interface LoraPair {
  inputs: number;
  outputs: number;
  a: Float32Array;
  b: Float32Array;
}

export interface LoraAdapter {
  config: LoraConfig;
  /** By the module's name in the base, e.g. `model.layers.0.self_attn.q_proj`, in byte order. */
  pairs: ReadonlyMap<string, LoraPair>;
}

/** Names of an adapter's two tensors as PEFT writes them. */
export function loraTensorNames(module: string): { a: string; b: string } {
  return { a: `${PREFIX}${module}.lora_A.weight`, b: `${PREFIX}${module}.lora_B.weight` };
}

/**
 * Reads a PEFT folder (`adapter_config.json`, `adapter_model.safetensors`).
 * Errors: those of safetensors; `missing_file`; `pickle`; `invalid_config`; `not_supported` by name; `missing_tensor`, `unknown_tensor`,
 * `invalid_shape` where the tensors do not fit the config.
 */
export async function readLoraFolder(folder: string): Promise<LoraAdapter> {
  const config = parseLoraConfig(await readJsonObject(folder, 'adapter_config.json'));
  const reader = await openAdapterWeights(folder);
  try {
    const pairs = new Map<string, LoraPair>();
    for (const module of modulesOf(reader)) {
      checkTarget(module, config);
      pairs.set(module, await readPair(module, config.rank, reader));
    }
    return { config, pairs };
  } finally {
    await reader.close();
  }
}

/** The adapter's tensors under PEFT's names: what its file holds and `weights_sha256` covers. */
export function loraTensors({ config, pairs }: LoraAdapter): Tensor[] {
  return [...pairs].flatMap(([module, { inputs, outputs, a, b }]) => {
    const names = loraTensorNames(module);
    return [float32Tensor(names.a, [config.rank, inputs], a), float32Tensor(names.b, [outputs, config.rank], b)];
  });
}

/** Writes a PEFT folder that `PeftModel.from_pretrained` loads; the same adapter gives the same bytes. */
export async function writeLoraFolder(folder: string, adapter: LoraAdapter): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'adapter_model.safetensors'), loraTensors(adapter), { format: 'pt' });
  await writeFile(join(folder, 'adapter_config.json'), `${JSON.stringify(loraConfigJson(adapter.config), null, 2)}\n`, { flag: 'wx' });
}

async function openAdapterWeights(folder: string): Promise<TensorReader> {
  const files = await readdir(folder);
  if (files.includes('adapter_model.safetensors')) return openSafetensors(join(folder, 'adapter_model.safetensors'));
  if (files.includes('adapter_model.bin')) {
    throw new ModelFormatError(
      'pickle',
      'the adapter is in adapter_model.bin, a Python pickle: reading it can run code. Convert it to safetensors',
    );
  }
  throw new ModelFormatError('missing_file', 'the folder has no adapter_model.safetensors');
}

function modulesOf(reader: TensorReader): Set<string> {
  return new Set(
    reader.names.map((name) => {
      const module = NAME.exec(name)?.[1];
      if (module === undefined) throw new ModelFormatError('unknown_tensor', `tensor \`${name}\` is not a LoRA factor of a linear`);
      return module;
    }),
  );
}

function checkTarget(module: string, { targets }: LoraConfig): void {
  if (targets === 'all-linear') return;
  if (!targets.some((target) => module === target || module.endsWith(`.${target}`))) {
    throw new ModelFormatError('unknown_tensor', `\`${module}\` is adapted, but target_modules does not name it`);
  }
}

async function readPair(module: string, rank: number, reader: TensorReader): Promise<LoraPair> {
  const names = loraTensorNames(module);
  const [a, b] = [reader.info(names.a), reader.info(names.b)];
  for (const { name, dtype } of [a, b]) {
    if (!isFloatDtype(dtype))
      throw new ModelFormatError('not_supported', `tensor \`${name}\` has dtype ${dtype}; F32, F16 and BF16 are read`);
  }
  const [rows, inputs] = a.shape;
  const [outputs, columns] = b.shape;
  if (a.shape.length !== 2 || b.shape.length !== 2 || rows !== rank || columns !== rank) {
    throw new ModelFormatError(
      'invalid_shape',
      `\`${module}\`: factors [${a.shape.join(', ')}] and [${b.shape.join(', ')}] do not fit rank ${rank}`,
    );
  }
  return { inputs: inputs!, outputs: outputs!, a: await reader.float32(names.a), b: await reader.float32(names.b) };
}
