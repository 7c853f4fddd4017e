import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import { invalid, unsupported } from './config-fields.js';

/** The classes of a sequence classifier in order of their logits; null where the config is of another model. */
export function parseLabels(config: JsonObject): string[] | null {
  const { architectures } = config;
  if (!Array.isArray(architectures) || !architectures.some((name) => String(name).endsWith('ForSequenceClassification'))) return null;
  const problem = config['problem_type'] ?? null;
  if (problem !== null && problem !== 'single_label_classification') throw unsupported('problem_type', problem);
  // transformers leaves out what equals its default: two classes without names.
  return labelsById(config['id2label'] ?? { 0: 'LABEL_0', 1: 'LABEL_1' });
}

/** `id2label` as a list. Errors: `invalid_config`. */
export function labelsById(byId: JsonValue | undefined): string[] {
  if (typeof byId !== 'object' || byId === null || Array.isArray(byId)) throw invalid('id2label', 'must be an object');
  const labels = Array.from({ length: Object.keys(byId).length }, (_, id) => {
    const label = byId[String(id)];
    if (typeof label !== 'string') throw invalid('id2label', `must name class ${id}`);
    return label;
  });
  if (labels.length < 2) throw invalid('id2label', 'must name two classes or more');
  return labels;
}

/** What a sequence classifier's config says of its classes. */
export function labelsJson(labels: readonly string[]): JsonObject {
  return {
    problem_type: 'single_label_classification',
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  };
}
