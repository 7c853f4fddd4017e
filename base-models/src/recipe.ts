import type { LlamaConfig } from '@tunefleet/model-formats';
import type { TrainingSpec } from '@tunefleet/training-core';
import { SPECIAL_TOKENS } from './tokenizer/files.js';

/** Every number that `tunefleet-base` is made by. */
export const VOCABULARY_SIZE = 4096;
export const SEED = 20_261_123;
/** Longest piece of a document, and the model's longest text. */
export const MAX_TOKENS = 512;

export const CONFIG: LlamaConfig = {
  hiddenSize: 160,
  intermediateSize: 448,
  layers: 4,
  heads: 5,
  keyValueHeads: 5,
  headSize: 32,
  vocabularySize: VOCABULARY_SIZE,
  maxPositions: MAX_TOKENS,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: true,
  bosTokenId: null,
  eosTokenIds: [SPECIAL_TOKENS.indexOf('<|im_end|>'), SPECIAL_TOKENS.indexOf('<|endoftext|>')],
  padTokenId: SPECIAL_TOKENS.indexOf('<|endoftext|>'),
};

/** Once over the examples in the order they are given. One thread: the bytes of the weights depend on the number of threads, and one is everywhere. */
export const TRAINING: Omit<TrainingSpec, 'base' | 'folder'> = {
  adapter: { type: 'full' },
  optimizer: {
    type: 'adamw',
    learning_rate: 3e-3,
    betas: [0.9, 0.98],
    eps: 1e-8,
    weight_decay: 0.1,
    max_grad_norm: 1,
    schedule: { type: 'cosine', warmup_ratio: 0.03 },
  },
  epochs: 1,
  batch_size: 32,
  micro_batch_size: 16,
  max_steps: null,
  shuffle: false,
  seed: SEED,
  snapshot: { every_steps: 1_000_000, keep: 1 },
  threads: 1,
};
