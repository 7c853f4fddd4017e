import { type Backbone, bertPoolerShapes, bertTensorShapes, headShapes, llamaTensorShapes } from '@tunefleet/model-formats';
import { plannedFull } from '../model/full.js';
import { plannedLora } from '../model/lora.js';
import { type FrozenBody, plannedClassifier, plannedHead } from '../model/planned-classifier.js';
import type { ModelGraph } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';

/** The settings of a run that its memory and time depend on, besides the data. */
export type PlannedSpec = Pick<TrainingSpec, 'adapter' | 'base_precision' | 'memory' | 'task' | 'freeze'>;

/** The model that a spec trains, of which only the base's configuration is known: its graph can be made, not run. */
export function plannedModel(backbone: Backbone, { adapter, base_precision = 'float32', task, freeze }: PlannedSpec): ModelGraph {
  if (task?.type === 'classification') {
    const head = headShapes(backbone, task.labels.length);
    if (freeze) return plannedHead(backbone, head, unreadBody(backbone));
    return plannedClassifier(backbone, new Map([...bodyShapes(backbone), ...head]));
  }
  if (backbone.family !== 'llama') throw new Error(`a ${backbone.family} is no language model`);
  return adapter.type === 'full' ? plannedFull(backbone.config) : plannedLora(backbone.config, base_precision, adapter);
}

/** A classifier's tensors up to what its head reads. */
export function bodyShapes(backbone: Backbone): Map<string, readonly number[]> {
  if (backbone.family === 'bert') return new Map([...bertTensorShapes(backbone.config), ...bertPoolerShapes(backbone.config)]);
  const shapes = llamaTensorShapes(backbone.config);
  shapes.delete('lm_head.weight');
  return shapes;
}

/** A frozen backbone whose bytes lie nowhere yet. */
export function unreadBody(backbone: Backbone): FrozenBody {
  const shapes = bodyShapes(backbone);
  return (builder) => {
    const made = new Map<string, ReturnType<typeof builder.frozen>>();
    return (name) => {
      const shape = shapes.get(name);
      if (!shape) return undefined;
      const value = made.get(name) ?? builder.frozen(name, shape, { file: '', offset: 0 });
      made.set(name, value);
      return value;
    };
  };
}
