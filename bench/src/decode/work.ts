import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '@tunefleet/models';
import { SMOLLM2_135M } from '../llama-step/work.js';
import { writeRandomLlama } from '../random-llama.js';

const PROMPT = 128;
const COUNT = 128;

/** work.json: a prompt, and how many tokens are made after it. */
export interface DecodeWork {
  prompt: number[];
  count: number;
}

/** What the weights are. SmolLM2-135M is published in bfloat16, like most models; after full tuning, or with an adapter merged in, they need float32. */
export type Weights = 'bfloat16' | 'float32';

/** Seeded random weights of SmolLM2-135M's shape as a Hugging Face folder (both in float32 files), and a prompt of random ids. */
export async function makeWork(folder: string, weights: Weights): Promise<void> {
  await writeRandomLlama(join(folder, 'base'), SMOLLM2_135M, { bfloat16: weights === 'bfloat16' });
  const random = randomStream(1, 'shuffle', 1);
  const prompt = Array.from({ length: PROMPT }, () => random.integer(SMOLLM2_135M.vocabularySize));
  writeFileSync(join(folder, 'work.json'), JSON.stringify({ prompt, count: COUNT } satisfies DecodeWork));
}
