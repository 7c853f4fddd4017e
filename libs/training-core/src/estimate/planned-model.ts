import {
  type Backbone,
  bertPoolerShapes,
  bertTensorShapes,
  blockLinears,
  CLASSIFIER_HEADS,
  headShapes,
  llamaTensorShapes,
} from '@tunefleet/model-formats';
import { adaptableClassifier, unreadTensors } from '@tunefleet/models';
import { plannedFull } from '../model/full.js';
import { plannedLora } from '../model/lora.js';
import { loraGraph } from '../model/lora-graph.js';
import { newLoraPlan } from '../model/lora-plan.js';
import { adaptedClassifier, type FrozenBody, frozenBody, plannedClassifier, plannedHead } from '../model/planned-classifier.js';
import type { ModelGraph } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';

/** The settings of a run that its memory and time depend on, besides the data. */
export type PlannedSpec = Pick<TrainingSpec, 'adapter' | 'base_precision' | 'memory' | 'task' | 'freeze'>;

/** The model that a spec trains, of which only the base's configuration is known: its graph can be made, not run. Errors: `invalid_spec`. */
export function plannedModel(backbone: Backbone, spec: PlannedSpec): ModelGraph {
  const { adapter, base_precision = 'float32', task } = spec;
  if (task?.type === 'classification') return plannedTuningOfClassifier(backbone, task.labels.length, spec);
  if (backbone.family !== 'llama') throw new Error(`a ${backbone.family} is no language model`);
  return adapter.type === 'full' ? plannedFull(backbone.config) : plannedLora(backbone.config, base_precision, adapter);
}

function plannedTuningOfClassifier(backbone: Backbone, labels: number, { adapter, base_precision, freeze }: PlannedSpec): ModelGraph {
  const head = headShapes(backbone, labels);
  if (freeze) return plannedHead(backbone, head, unreadBody(backbone));
  const model = adaptableClassifier(backbone, new Map([...bodyShapes(backbone), ...head]));
  if (adapter.type === 'full') return plannedClassifier(backbone, model.tensors);
  const linears = base_precision === 'int4' ? blockLinears(model.tensors).map(({ name }) => `${name}.weight`) : [];
  const { type: _lora, ...settings } = adapter;
  const saved = [...new Set([...(settings.modules_to_save ?? []), ...CLASSIFIER_HEADS])];
  const plan = newLoraPlan(model, { ...settings, modules_to_save: saved });
  return loraGraph(adaptedClassifier(backbone, unreadBody(backbone, new Set(linears))), plan, adapter.dropout);
}

/** A classifier's tensors up to what its head reads. */
function bodyShapes(backbone: Backbone): Map<string, readonly number[]> {
  if (backbone.family === 'bert') return new Map([...bertTensorShapes(backbone.config), ...bertPoolerShapes(backbone.config)]);
  const shapes = llamaTensorShapes(backbone.config);
  shapes.delete('lm_head.weight');
  return shapes;
}

/** A frozen backbone whose bytes lie nowhere yet. */
export function unreadBody(backbone: Backbone, quantized: ReadonlySet<string> = new Set()): FrozenBody {
  const shapes = bodyShapes(backbone);
  return frozenBody(shapes, unreadTensors(shapes, quantized));
}
