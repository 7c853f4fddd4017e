import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@tunefleet/strict-json';
import { ModelFormatError } from '../errors.js';
import type { Tensor, TensorReader } from '../safetensors/reader.js';
import { writeSafetensors } from '../safetensors/writer.js';
import { type BertConfig, bertConfigJson, parseBertConfig } from './bert-config.js';
import { BERT_IGNORED, bertName, bertPoolerShapes, bertTensorShapes } from './bert-tensors.js';
import { checkTensors } from './check-tensors.js';
import { readJsonObject } from './json-file.js';
import { labelsJson, parseLabels } from './labels.js';
import { type LlamaConfig, llamaConfigJson, parseLlamaConfig } from './llama-config.js';
import { LLAMA_IGNORED, llamaTensorShapes } from './llama-tensors.js';
import { renamed } from './renamed.js';
import { openWeights } from './weights.js';

/** A family and its config: what a model computes up to its head. */
export type Backbone = { family: 'llama'; config: LlamaConfig } | { family: 'bert'; config: BertConfig };

/** A model in a Hugging Face folder, checked whole. `weights` go by the names of `shapes`; the caller closes them. */
export type ModelFolder = Backbone & {
  /** classes in order of their logits; null where the folder holds no sequence classifier */
  labels: string[] | null;
  /** every tensor that is read, of backbone and head */
  shapes: ReadonlyMap<string, readonly number[]>;
  weights: TensorReader;
};

/** Opens the folder of any family that is read: a Llama or a BERT, with or without a classification head. Errors: {@link ModelFormatError} by its codes. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const json = await readJsonObject(folder, 'config.json');
  const labels = parseLabels(json);
  const backbone = parseBackbone(json);
  const file = await openWeights(folder);
  try {
    const bert = backbone.family === 'bert';
    const weights = bert ? renamed(file, bertName) : file;
    const shapes = new Map([...tensorShapes(backbone, weights, labels === null), ...(labels ? headShapes(backbone, labels.length) : [])]);
    const tied = backbone.family === 'llama' && backbone.config.tiedEmbeddings;
    checkTensors(shapes, weights, (name) => (bert ? BERT_IGNORED : LLAMA_IGNORED).test(name) || (tied && name === 'lm_head.weight'));
    return { ...backbone, labels, shapes, weights };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Names and shapes of a classification head in transformers' layout. */
export function headShapes({ family, config }: Backbone, labels: number): Map<string, readonly number[]> {
  const { hiddenSize } = config;
  if (family === 'llama') return new Map([['score.weight', [labels, hiddenSize]]]);
  return new Map<string, readonly number[]>([
    ['classifier.weight', [labels, hiddenSize]],
    ['classifier.bias', [labels]],
  ]);
}

/**
 * Writes a sequence classifier that transformers loads: `config.json` and `model.safetensors`. Tokenizer files are the caller's to copy; files
 * that are there already are an error.
 */
export async function writeClassifierFolder(
  folder: string,
  backbone: Backbone,
  labels: readonly string[],
  tensors: Iterable<Tensor>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  const json = classifierConfigJson(backbone, labels);
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(json, null, 2)}\n`, { flag: 'wx' });
}

/** The `config.json` of a sequence classifier. */
export function classifierConfigJson(backbone: Backbone, labels: readonly string[]): JsonObject {
  const json: JsonObject =
    backbone.family === 'llama'
      ? { ...llamaConfigJson(backbone.config), architectures: ['LlamaForSequenceClassification'] }
      : { architectures: ['BertForSequenceClassification'], ...bertConfigJson(backbone.config) };
  return { ...json, ...labelsJson(labels) };
}

/** The family and its config that a `config.json` describes, of a language model or of a classifier. Errors: {@link ModelFormatError} by its codes. */
export function parseBackbone(json: JsonObject): Backbone {
  const type = json['model_type'];
  if (type === 'bert') return { family: 'bert', config: parseBertConfig(json) };
  if (type !== undefined && type !== 'llama')
    throw new ModelFormatError(
      'not_supported',
      `config.json: \`model_type\` = ${JSON.stringify(type)} is not supported; llama and bert are`,
    );
  // The backbone of a classifier is that of the language model.
  return {
    family: 'llama',
    config: parseLlamaConfig(parseLabels(json) !== null ? { ...json, architectures: ['LlamaForCausalLM'] } : json),
  };
}

function tensorShapes(backbone: Backbone, weights: TensorReader, languageHead: boolean): Map<string, readonly number[]> {
  if (backbone.family === 'bert') {
    const pooler = bertPoolerShapes(backbone.config);
    const pooled = [...pooler.keys()].some((name) => weights.names.includes(name));
    return new Map([...bertTensorShapes(backbone.config), ...(pooled ? pooler : [])]);
  }
  const shapes = llamaTensorShapes(backbone.config);
  if (!languageHead) shapes.delete('lm_head.weight');
  return shapes;
}
