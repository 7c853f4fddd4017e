import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ClassifierName = 'tiny-bert-classifier' | 'tiny-llama-classifier';

interface CurvePoint {
  loss: number;
  accuracy: number;
}

interface ClassifierFixture {
  /** of the first rows, in float64 */
  logits: number[][];
  transformers_float32_error: number;
  full: CurvePoint[];
  frozen: CurvePoint[];
}

interface Expected extends Record<ClassifierName, ClassifierFixture> {
  labels: string[];
  batch: number;
  steps: number;
  rate: number;
  weight_decay: number;
  max_norm: number;
  warmup: number;
  betas: [number, number];
  eps: number;
  rows: { ids: number[]; label: number }[];
}

/** What PyTorch and transformers said (fixtures/make_classifiers.py). */
export const classifiers = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/classifiers.json'), 'utf8')) as Expected;
