import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelFormatError } from '../errors.js';
import { readJsonObject } from '../hugging-face/json-file.js';
import { isFloatDtype } from '../safetensors/float.js';
import { openSafetensors, type Tensor, type TensorReader } from '../safetensors/reader.js';
import { float32Tensor, writeSafetensors } from '../safetensors/writer.js';
import { CLASSIFIER_HEADS, type LoraConfig, loraConfigJson, parseLoraConfig } from './adapter-config.js';
import { type LoraMatcher, loraMatcher } from './module-matching.js';

const PREFIX = 'base_model.model.';
const FACTOR = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

/** The two factors of one linear [out, in]: `a` [rank, in], `b` [out, rank], row-major. */
export interface LoraPair {
  inputs: number;
  outputs: number;
  rank: number;
  /** what B A is multiplied by; follows from the config */
  scaling: number;
  a: Float32Array;
  b: Float32Array;
}

/** A tensor of the base that was trained whole (`modules_to_save`). */
export interface SavedTensor {
  shape: readonly number[];
  values: Float32Array;
}

export interface LoraAdapter {
  config: LoraConfig;
  /** By the module's name in the base, e.g. `model.layers.0.self_attn.q_proj`, in byte order. */
  pairs: ReadonlyMap<string, LoraPair>;
  /** By the tensor's name in the base, e.g. `lm_head.weight`; of a classifier its head too, which need not be in the base. */
  saved: ReadonlyMap<string, SavedTensor>;
}

/** Names of an adapter's two tensors as PEFT writes them. */
export function loraTensorNames(module: string): { a: string; b: string } {
  return { a: `${PREFIX}${module}.lora_A.weight`, b: `${PREFIX}${module}.lora_B.weight` };
}

/** Name of a tensor of the base in an adapter that holds it whole. */
export const savedTensorName = (tensor: string): string => PREFIX + tensor;

/**
 * Reads a PEFT folder (`adapter_config.json`, `adapter_model.safetensors`).
 * Errors: those of safetensors; `missing_file`; `pickle`; `invalid_config`; `not_supported` by name; `missing_tensor`, `unknown_tensor`,
 * `invalid_shape` where the tensors do not fit the config.
 */
export async function readLoraFolder(folder: string): Promise<LoraAdapter> {
  const config = parseLoraConfig(await readJsonObject(folder, 'adapter_config.json'));
  const matcher = loraMatcher(config);
  const reader = await openAdapterWeights(folder);
  try {
    const pairs = new Map<string, LoraPair>();
    const saved = new Map<string, SavedTensor>();
    for (const name of reader.names) {
      const { dtype, shape } = reader.info(name);
      if (!isFloatDtype(dtype))
        throw new ModelFormatError('not_supported', `tensor \`${name}\` has dtype ${dtype}; F32, F16 and BF16 are read`);
      const module = FACTOR.exec(name)?.[1];
      if (module === undefined) saved.set(savedName(name, matcher), { shape, values: await reader.float32(name) });
      else if (!pairs.has(module)) pairs.set(module, await readPair(module, matcher, reader));
    }
    checkSaved(config, [...saved.keys()]);
    return { config, pairs, saved };
  } finally {
    await reader.close();
  }
}

/** The adapter's tensors under PEFT's names: what its file holds and `weights_sha256` covers. */
export function loraTensors({ pairs, saved }: Pick<LoraAdapter, 'pairs' | 'saved'>): Tensor[] {
  const factors = [...pairs].flatMap(([module, { inputs, outputs, rank, a, b }]) => {
    const names = loraTensorNames(module);
    return [float32Tensor(names.a, [rank, inputs], a), float32Tensor(names.b, [outputs, rank], b)];
  });
  return [...factors, ...[...saved].map(([name, { shape, values }]) => float32Tensor(savedTensorName(name), shape, values))];
}

/** Writes a PEFT folder that `PeftModel.from_pretrained` loads; the same adapter gives the same bytes. */
export async function writeLoraFolder(folder: string, adapter: LoraAdapter): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'adapter_model.safetensors'), loraTensors(adapter), { format: 'pt' });
  await writeFile(join(folder, 'adapter_config.json'), `${JSON.stringify(loraConfigJson(written(adapter)), null, 2)}\n`, { flag: 'wx' });
}

/** PEFT takes `layers_to_transform` beside a list of names alone. */
function written({ config, pairs }: LoraAdapter): LoraConfig {
  if (config.targets !== 'all-linear' || !config.layers_to_transform?.length) return config;
  return { ...config, targets: [...new Set([...pairs.keys()].map((module) => module.slice(module.lastIndexOf('.') + 1)))] };
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

/** Errors: `missing_tensor` for a module in modules_to_save of which there is nothing; a classifier has one head of two names. */
function checkSaved({ task, modules_to_save }: LoraConfig, tensors: readonly string[]): void {
  const there = (module: string): boolean => tensors.some((tensor) => tensor.includes(module));
  const headless = task === 'SEQ_CLS' && !CLASSIFIER_HEADS.some(there);
  const wanted = (modules_to_save ?? []).filter((module) => headless || task !== 'SEQ_CLS' || !CLASSIFIER_HEADS.includes(module));
  const missing = wanted.find((module) => !there(module));
  if (missing !== undefined)
    throw new ModelFormatError('missing_tensor', `modules_to_save names \`${missing}\`, of which no tensor is there`);
}

/** Errors: `unknown_tensor` for what is neither a factor nor trained whole by the config. */
function savedName(name: string, matcher: LoraMatcher): string {
  const tensor = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
  const module = tensor.replace(/\.(weight|bias)$/, '');
  if (module !== tensor && matcher.saves(module)) return tensor;
  throw new ModelFormatError(
    'unknown_tensor',
    `tensor \`${name}\` is neither a LoRA factor of a linear nor of a module in modules_to_save`,
  );
}

async function readPair(module: string, matcher: LoraMatcher, reader: TensorReader): Promise<LoraPair> {
  if (!matcher.adapts(module))
    throw new ModelFormatError('unknown_tensor', `\`${module}\` is adapted, but target_modules does not name it`);
  const names = loraTensorNames(module);
  const [a, b] = [reader.info(names.a), reader.info(names.b)];
  const rank = matcher.rank(module);
  const [rows, inputs] = a.shape;
  const [outputs, columns] = b.shape;
  if (a.shape.length !== 2 || b.shape.length !== 2 || rows !== rank || columns !== rank) {
    throw new ModelFormatError(
      'invalid_shape',
      `\`${module}\`: factors [${a.shape.join(', ')}] and [${b.shape.join(', ')}] do not fit rank ${rank}`,
    );
  }
  const [valuesA, valuesB] = [await reader.float32(names.a), await reader.float32(names.b)];
  return { inputs: inputs!, outputs: outputs!, rank, scaling: matcher.scaling(module), a: valuesA, b: valuesB };
}
