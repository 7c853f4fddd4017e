import type { LlamaConfig } from '@tunefleet/model-formats';
import { SMOLLM2_135M } from '../llama-step/work.js';

const shape = (hiddenSize: number, layers: number, heads: number, keyValueHeads: number, intermediateSize: number): LlamaConfig => ({
  ...SMOLLM2_135M,
  hiddenSize,
  layers,
  heads,
  keyValueHeads,
  intermediateSize,
});

/** Llamas by their number of parameters; vocabulary and head size of SmolLM2, tied embeddings but for the first, whose vocabulary would be all of it. */
export const SHAPES: Readonly<Record<string, LlamaConfig>> = {
  '10M': { ...shape(256, 10, 4, 2, 768), vocabularySize: 8192 },
  '50M': shape(512, 8, 8, 4, 1536),
  '135M': SMOLLM2_135M,
  // SmolLM2-360M's.
  '360M': shape(960, 32, 15, 5, 2560),
  // Llama-3.2-1B's blocks.
  '1B': shape(2048, 16, 32, 8, 8192),
};
