import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Example } from '@tunefleet/models';
import type { TrainingSpec } from '@tunefleet/training-core';
import { OPTIMIZER } from '../optimizer.js';
import { ALPHA, RANK, STEPS } from './work.js';

/** What is trained; qlora: LoRA over the base in 4-bit blocks. */
export const VARIANTS = ['lora', 'qlora', 'full'] as const;
export type Variant = (typeof VARIANTS)[number];

/** The run that is timed: AdamW at a constant rate, one row a step. */
export function stepSpec(folder: string, variant: Variant, threads: number): TrainingSpec {
  return {
    base: join(folder, 'base'),
    base_precision: variant === 'qlora' ? 'int4' : 'float32',
    adapter: variant === 'full' ? { type: 'full' } : { type: 'lora', rank: RANK, alpha: ALPHA, dropout: 0, targets: 'all-linear' },
    optimizer: OPTIMIZER,
    epochs: 1,
    batch_size: 1,
    micro_batch_size: 1,
    max_steps: null,
    shuffle: false,
    seed: 1,
    snapshot: { every_steps: 2 * STEPS, keep: 1 },
    threads,
    folder: join(folder, `work-${process.pid}`),
  };
}

/** Rows of which every token is trained on but the first, which nothing predicts. */
export const asExamples = (rows: readonly (readonly number[])[]): Example[] =>
  rows.map((ids) => ({ ids: Int32Array.from(ids), weights: Float32Array.from(ids, (_, at) => (at === 0 ? 0 : 1)) }));

/** The rows of the work folder. */
export const readRows = (folder: string): Example[] =>
  asExamples(JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')) as number[][]);
