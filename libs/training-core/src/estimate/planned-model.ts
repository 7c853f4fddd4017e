import { type Backbone, bertPoolerShapes, bertTensorShapes, headShapes, llamaTensorShapes } from '@tunefleet/model-formats';
import { unreadTensors } from '@tunefleet/models';
import { plannedClassifier } from '../model/classifier.js';
import { plannedClassifierLora } from '../model/classifier-lora.js';
import { plannedFull } from '../model/full.js';
import { type FrozenBody, plannedHead } from '../model/head.js';
import { plannedLora } from '../model/lora.js';
import type { ModelGraph } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';

/** The settings of a run that its memory and time depend on, besides the data. */
export type PlannedSpec = Pick<TrainingSpec, 'adapter' | 'base_precision' | 'memory' | 'task' | 'freeze'>;

/**
 * The model that a spec trains, of which only the base's configuration is known: its graph can be made, not run. Errors: `invalid_spec`.
 */
export function plannedModel(backbone: Backbone, spec: PlannedSpec): ModelGraph {
  const { adapter, base_precision = 'float32', task } = spec;
  if (task?.type === 'classification') return plannedTuningOfClassifier(backbone, task.labels.length, spec);
  if (backbone.family !== 'llama') throw new Error(`a ${backbone.family} is no language model`);
  return adapter.type === 'full' ? plannedFull(backbone.config) : plannedLora(backbone.config, base_precision, adapter);
}

function plannedTuningOfClassifier(backbone: Backbone, labels: number, spec: PlannedSpec): ModelGraph {
  const { adapter, base_precision = 'float32', freeze } = spec;
  const [body, head] = [bodyShapes(backbone), headShapes(backbone, labels)];
  if (freeze) return plannedHead(backbone, head, unreadBody(backbone));
  if (adapter.type === 'lora') return plannedClassifierLora(backbone, { body, head }, base_precision, adapter);
  return plannedClassifier(backbone, new Map([...body, ...head]));
}

/** A classifier's tensors up to what its head reads. */
function bodyShapes(backbone: Backbone): Map<string, readonly number[]> {
  if (backbone.family === 'bert') return new Map([...bertTensorShapes(backbone.config), ...bertPoolerShapes(backbone.config)]);
  const shapes = llamaTensorShapes(backbone.config);
  shapes.delete('lm_head.weight');
  return shapes;
}

/** A frozen backbone whose bytes lie nowhere yet. */
export function unreadBody(backbone: Backbone): FrozenBody {
  const shapes = bodyShapes(backbone);
  const unread = unreadTensors(shapes, new Set());
  return (builder) => {
    const of = unread(builder);
    return (name) => (shapes.has(name) ? of(name) : undefined);
  };
}
