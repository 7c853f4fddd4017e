import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LlamaConfig } from '@tunefleet/model-formats';
import { randomStream } from '@tunefleet/models';
import { writeRandomLlama } from '../random-llama.js';

/** The shape of SmolLM2-135M (HuggingFaceTB/SmolLM2-135M, config.json): 134.5 M parameters. */
export const SMOLLM2_135M: LlamaConfig = {
  hiddenSize: 576,
  intermediateSize: 1536,
  layers: 30,
  heads: 9,
  keyValueHeads: 3,
  headSize: 64,
  vocabularySize: 49_152,
  maxPositions: 8192,
  normEpsilon: 1e-5,
  ropeTheta: 100_000,
  tiedEmbeddings: true,
  bosTokenId: 1,
  eosTokenIds: [2],
  padTokenId: 2,
};

export const STEPS = 7;
export const WARM_UP = 2;
export const RANK = 8;
export const ALPHA = 16;

/** So many rows of tokens + 1 random ids (seeded): the first is predicted by nothing. */
export function randomRows(count: number, tokens: number, vocabulary: number): number[][] {
  const random = randomStream(1, 'shuffle', 1);
  return Array.from({ length: count }, () => Array.from({ length: tokens + 1 }, () => Math.floor(random.uniform() * vocabulary)));
}

/** Random weights (seeded) in a Hugging Face folder and a row a step: the same for both sides. */
export async function makeWork(folder: string, tokens: number, shape = SMOLLM2_135M): Promise<void> {
  await writeRandomLlama(join(folder, 'base'), shape);
  writeFileSync(join(folder, 'rows.json'), JSON.stringify(randomRows(STEPS, tokens, shape.vocabularySize)));
}
