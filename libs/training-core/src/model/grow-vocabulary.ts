import type { LlamaConfig } from '@tunefleet/model-formats';
import { TrainingError } from '../spec.js';

/** The config with at least `rows` tokens; a base may have more rows than its tokenizer has tokens. */
export function grownConfig(config: LlamaConfig, rows = 0): LlamaConfig {
  return rows > config.vocabularySize ? { ...config, vocabularySize: rows } : config;
}

/** Rows [tokens, width] of an embedding or head, each new one the mean of the old ones: transformers' `mean_resizing` without its noise. */
export function grownRows(values: Float32Array, [rows, width]: readonly number[]): Float32Array {
  if (rows === undefined || width === undefined) return values;
  const known = values.length / width;
  if (known === rows) return values;
  if (known > rows) throw new TrainingError('invalid_spec', `the base has ${known} tokens, more than ${rows}`);
  const mean = new Float64Array(width);
  for (let row = 0; row < known; row++) for (let i = 0; i < width; i++) mean[i]! += values[row * width + i]! / known;
  const grown = new Float32Array(rows * width);
  grown.set(values);
  for (let row = known; row < rows; row++) grown.set(mean, row * width);
  return grown;
}
