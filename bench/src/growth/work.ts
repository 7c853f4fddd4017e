import { join } from 'node:path';
import { float32Tensor, type LlamaConfig, llamaTensorShapes, writeLlamaFolder } from '@tunefleet/model-formats';
import { type Example, randomStream } from '@tunefleet/models';
import type { TrainingSpec } from '@tunefleet/training-core';
import { asExamples, stepSpec, type Variant } from '../llama-step/spec.js';
import { randomRows } from '../llama-step/work.js';

export interface Point {
  variant: Variant;
  memory: 'fast' | 'lean';
  /** of the one row of a step, each trained on */
  tokens: number;
  /** optimizer steps in all */
  steps: number;
  threads: number;
}

/** Random numbers that the weights repeat: a model of 1 B parameters is written in seconds, and nothing here depends on their values. */
const PERIOD = 1_000_003;
/** Widest absolute value of a weight. */
const SCALE = 0.035;

/** Where in the numbers each tensor begins, after the one before: ONNX Runtime keeps tensors of the same bytes once. */
const STRIDE = 1000;

/** Writes a Hugging Face folder of this shape, out of the memory of its largest tensor. */
export async function writeBase(folder: string, config: LlamaConfig): Promise<void> {
  const random = randomStream(1, 'shuffle', 0);
  const shapes = [...llamaTensorShapes(config)];
  const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(Math.max(...shapes.map(([, shape]) => size(shape))) + STRIDE * shapes.length);
  for (let at = 0; at < Math.min(PERIOD, values.length); at++) values[at] = (2 * random.uniform() - 1) * SCALE;
  for (let at = PERIOD; at < values.length; at += PERIOD) values.copyWithin(at, 0, Math.min(PERIOD, values.length - at));
  const norm = new Float32Array(config.hiddenSize).fill(1);
  const tensors = shapes.map(([name, shape], index) => {
    const start = index * STRIDE;
    return float32Tensor(name, shape, name.endsWith('norm.weight') ? norm : values.subarray(start, start + size(shape)));
  });
  await writeLlamaFolder(folder, config, tensors);
}

/** A row a step, and one more that is not come to. */
export const rowsOf = ({ tokens, steps }: Point, vocabulary: number): Example[] => asExamples(randomRows(steps + 1, tokens, vocabulary));

/** The run that is measured, and foretold. */
export const specOf = (folder: string, { variant, memory, steps, threads }: Point): TrainingSpec => ({
  ...stepSpec(folder, variant, threads),
  memory,
  snapshot: { every_steps: 2 * steps, keep: 1 },
  folder: join(folder, 'work'),
});
