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

interface AdapterFixture {
  base: string;
  /** PEFT's of the first rows, in float64 */
  logits: number[][];
}

/** What PEFT said of classifiers' adapters, its own and ours (fixtures/make_classifier_adapters.py). */
export const classifierAdapters = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/classifier-adapters.json'), 'utf8')) as {
  adapters: Record<string, AdapterFixture & { losses: number[] }>;
  /** with transformers' logits and classes of the folder that we merged */
  ours: Record<string, AdapterFixture & { merged: number[][]; labels: string[] }>;
};

export function probabilities(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
