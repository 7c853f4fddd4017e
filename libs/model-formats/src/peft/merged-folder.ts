import type { JsonObject } from '@tunefleet/strict-json';
import { llamaConfigJson } from '../hugging-face/llama-config.js';
import { classifierConfigJson, headShapes, openModelFolder } from '../hugging-face/model-folder.js';
import type { TensorReader } from '../safetensors/reader.js';
import { readLoraFolder } from './adapter-folder.js';
import { adapterLabels } from './adapter-labels.js';
import { type MergedTensor, mergedModel, mergedTensors } from './merge.js';

/** A base and an adapter as one model of transformers. */
export interface MergedFolder {
  /** its `config.json` */
  config: JsonObject;
  tensors: MergedTensor[];
  close(): Promise<void>;
}

/**
 * Opens a base's folder and a PEFT folder of it, of a language model or a classifier, as the model that they are together. `through`: the base's weights
 * as the adapter was trained over them, by the shapes of its tensors. Errors: `ModelFormatError` by its codes.
 */
export async function openMergedFolder(
  base: string,
  adapterFolder: string,
  through: (weights: TensorReader, shapes: ReadonlyMap<string, readonly number[]>) => TensorReader = (weights) => weights,
): Promise<MergedFolder> {
  const adapter = await readLoraFolder(adapterFolder);
  const { labels: own, shapes, weights: stored, ...backbone } = await openModelFolder(base);
  const close = (): Promise<void> => stored.close();
  try {
    const weights = through(stored, shapes);
    if (adapter.config.task !== 'SEQ_CLS' && backbone.family === 'llama') {
      const { config, tensors } = mergedModel(backbone.config, weights, adapter);
      return { config: llamaConfigJson(config), tensors, close };
    }
    const labels = await adapterLabels(adapterFolder, adapter, own);
    const saved = [...adapter.saved].map(([name, { shape }]) => [name, shape] as const);
    const all = new Map([...shapes, ...saved, ...headShapes(backbone, labels.length)]);
    all.delete('lm_head.weight');
    return { config: classifierConfigJson(backbone, labels), tensors: mergedTensors(all, weights, adapter), close };
  } catch (error) {
    await close();
    throw error;
  }
}
