import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = join(import.meta.dirname, 'fixtures');

export type ModelName = 'tiny-llama' | 'tiny-tied';

interface ModelFixture {
  ids: number[];
  logits: number[][];
  transformers_float32_error: number;
  greedy: { prompt: number[]; tokens: number[] };
}

/** What transformers said (fixtures/make.py). */
export const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Record<ModelName, ModelFixture>;

export const folderOf = (name: string): string => join(FIXTURES, name);
