import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExampleSource, MetricsRow, TrainingHooks, TrainingSpec } from '../src/spec.js';

const FIXTURES = join(import.meta.dirname, '../../models/test/fixtures');

interface CurvePoint {
  loss: number;
  accuracy: number;
  norm: number;
  rate: number;
}

export interface ModelFixture {
  ids: number[];
  logits: number[][];
  transformers_float32_error: number;
  greedy: { prompt: number[]; tokens: number[] };
  full: CurvePoint[];
  lora: CurvePoint[];
}

export type ModelName = 'tiny-llama' | 'tiny-tied';

interface Expected extends Record<ModelName, ModelFixture> {
  batch: number;
  steps: number;
  rate: number;
  weight_decay: number;
  max_norm: number;
  warmup: number;
  betas: [number, number];
  eps: number;
  rows: { ids: number[]; weights: number[] }[];
}

/** What PyTorch, transformers and PEFT said (fixtures/make.py). */
export const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Expected;

export const folderOf = (name: string): string => join(FIXTURES, name);

export const workFolder = (): Promise<string> => mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-training-'));

export function rowsOf(rows: Expected['rows']): ExampleSource {
  const examples = rows.map(({ ids, weights }) => ({ ids: Int32Array.from(ids), weights: Float32Array.from(weights) }));
  return { count: rows.length, get: (index) => examples[index]! };
}

/** The settings of the fixture's curves: clipping, warm-up, cosine, weight decay, file order. */
export async function specOf(name: ModelName, adapter: 'full' | 'lora', changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> {
  return {
    base: folderOf(name),
    adapter: adapter === 'full' ? { type: 'full' } : { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' },
    ...(adapter === 'lora' ? { continueFrom: folderOf(`${name}-lora`) } : {}),
    optimizer: {
      type: 'adamw',
      learning_rate: expected.rate,
      betas: expected.betas,
      eps: expected.eps,
      weight_decay: expected.weight_decay,
      max_grad_norm: expected.max_norm,
      schedule: { type: 'cosine', warmup_ratio: expected.warmup },
    },
    epochs: 4,
    batch_size: expected.batch,
    micro_batch_size: expected.batch,
    max_steps: expected.steps,
    shuffle: false,
    seed: 1,
    snapshot: { every_steps: 1000, keep: 2 },
    threads: 1,
    folder: await workFolder(),
    ...changes,
  };
}

/** Hooks that note what they are told. */
export function recording(
  changes: Partial<TrainingHooks> = {},
): TrainingHooks & { rows: MetricsRow[]; snapshots: string[]; checkpoints: string[] } {
  const rows: MetricsRow[] = [];
  const snapshots: string[] = [];
  const checkpoints: string[] = [];
  return {
    rows,
    snapshots,
    checkpoints,
    onStep: (row) => rows.push(row),
    onSnapshot: (folder) => snapshots.push(folder),
    onCheckpoint: (folder) => checkpoints.push(folder),
    shouldStop: () => 'continue',
    ...changes,
  };
}

export const relative = (found: number, wanted: number): number => Math.abs(found - wanted) / Math.abs(wanted);
