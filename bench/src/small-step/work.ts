import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LlamaConfig } from '@tunefleet/model-formats';
import { randomStream } from '@tunefleet/models';
import { writeRandomLlama } from '../random-llama.js';

/** The shape of the bundled base: about 1.9 M parameters. */
const CONFIG: LlamaConfig = {
  hiddenSize: 160,
  intermediateSize: 432,
  layers: 4,
  heads: 5,
  keyValueHeads: 5,
  headSize: 32,
  vocabularySize: 4096,
  maxPositions: 512,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: true,
  bosTokenId: 0,
  eosTokenIds: [1],
  padTokenId: 1,
};

/** Rows of a short-text task: 20 to 60 tokens, the last 8 trained on. */
const ROWS = 1600;
export const BATCH = 16;
export const STEPS = ROWS / BATCH;
export const WARM_UP = 20;
const TRAINED = 8;

export interface Rows {
  ids: number[][];
  trained: number;
}

/** Random weights (seeded) in a Hugging Face folder and random rows: the same for both sides. */
export async function makeWork(folder: string): Promise<void> {
  const random = randomStream(1, 'shuffle', 1);
  await writeRandomLlama(join(folder, 'base'), CONFIG);
  const ids = Array.from({ length: ROWS }, () =>
    Array.from({ length: 20 + Math.floor(random.uniform() * 41) }, () => Math.floor(random.uniform() * CONFIG.vocabularySize)),
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'rows.json'), JSON.stringify({ ids, trained: TRAINED } satisfies Rows));
}
