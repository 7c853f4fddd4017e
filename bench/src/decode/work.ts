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

/** Seeded random weights of SmolLM2-135M's shape as a Hugging Face folder, and a prompt of random ids. */
export async function makeWork(folder: string): Promise<void> {
  await writeRandomLlama(join(folder, 'base'), SMOLLM2_135M);
  const random = randomStream(1, 'shuffle', 1);
  const prompt = Array.from({ length: PROMPT }, () => random.integer(SMOLLM2_135M.vocabularySize));
  writeFileSync(join(folder, 'work.json'), JSON.stringify({ prompt, count: COUNT } satisfies DecodeWork));
}
