// `modules_to_save` of PEFT: tensors of the base that are trained whole, beside the factors, and take the place of the base's own.

import { type LlamaConfig, type LoraSettings, loraMatcher } from '@tunefleet/model-formats';
import type { Value } from '@tunefleet/tensor';
import type { Adaptable } from './adaptable.js';

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';

/** Tensor of the base that a saved tensor begins as: a tied head has none of its own. */
export const savedFrom = ({ tiedEmbeddings }: LlamaConfig, tensor: string): string =>
  tiedEmbeddings && tensor === HEAD ? EMBEDDING : tensor;

/** Names and shapes of the tensors that settings save whole. */
export function savedTensors({ tensors }: Adaptable, settings: LoraSettings): Map<string, readonly number[]> {
  const { saves } = loraMatcher(settings);
  return new Map([...tensors].filter(([name]) => saves(name.replace(/\.(weight|bias)$/, ''))));
}

/** The base's config under an adapter: a saved embedding or head is tied to nothing, and may have more rows (added tokens). */
export function savedConfig(config: LlamaConfig, saved: ReadonlyMap<string, { shape: readonly number[] }>): LlamaConfig {
  const changed = saved.get(EMBEDDING) ?? saved.get(HEAD);
  return changed ? { ...config, tiedEmbeddings: false, vocabularySize: changed.shape[0]! } : config;
}

/** Weights by name, the saved ones in the place of the base's. */
export function savedWeights(
  config: LlamaConfig,
  weight: (name: string) => Value,
  saved: ReadonlyMap<string, Value>,
): (name: string) => Value {
  return (name) => saved.get(name) ?? weight(savedFrom(config, name));
}
