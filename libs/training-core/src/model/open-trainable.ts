import type { TrainingSpec } from '../spec.js';
import { classifierTuning } from './classifier.js';
import { classifierLoraTuning } from './classifier-lora.js';
import { fullTuning } from './full.js';
import { headTuning } from './head.js';
import { loraTuning } from './lora.js';
import type { Trainable } from './trainable.js';

/** The model that a spec trains. `scratch`: an existing folder for files that may go when the model is closed. */
export function openTrainable(spec: TrainingSpec, scratch: string): Promise<Trainable> {
  const {
    base,
    base_name: baseName,
    base_precision: precision = 'float32',
    task,
    freeze,
    adapter,
    vocabulary,
    continueFrom,
    seed,
    threads,
    state,
  } = spec;
  if (task?.type === 'classification') {
    const { labels } = task;
    if (adapter.type === 'lora') return classifierLoraTuning({ base, baseName, labels, precision, adapter, continueFrom, seed, scratch });
    return freeze
      ? headTuning({ base, labels, seed, threads, scratch })
      : classifierTuning(base, { labels, seed, byRows: state !== 'device' });
  }
  if (adapter.type === 'full') return fullTuning(base, vocabulary);
  return loraTuning({ base, baseName, precision, adapter, vocabulary, continueFrom, seed, scratch });
}
