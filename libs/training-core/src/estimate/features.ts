import type { Backbone } from '@tunefleet/model-formats';
import { classifierOf, weightParts } from '@tunefleet/models';
import { countWork, graphOf, lower, sizesOf, type Work } from '@tunefleet/tensor';
import { FEATURE_TOKENS, featuresOf } from '../model/frozen-features.js';
import { alike, sessionMemory } from './pass.js';
import { unreadBody } from './planned-model.js';

export interface FeaturesCost {
  /** bytes of the session that runs the backbone, at their highest, and of what it said of every row */
  memory: number;
  /** of one pass */
  work: Work;
  passes: number;
  operators: number;
}

/** What it costs to run a frozen backbone once over every row. */
export function featuresCost(
  backbone: Backbone,
  { examples, tokens, longest }: { examples: number; tokens: number; longest: number },
): FeaturesCost {
  const classifier = classifierOf(backbone);
  const body = unreadBody(backbone);
  const graph = lower(graphOf({ features: featuresOf(classifier, (builder) => weightParts(body(builder))) }), 'cpu');
  const bindings = (length: number) => {
    const whole = Math.max(1, Math.round(length));
    const rows = Math.min(examples, Math.max(1, Math.floor(FEATURE_TOKENS / whole)));
    return { rows, sizes: sizesOf(graph, classifier.batch(alike(rows, whole, 1))!.feeds) };
  };
  const mean = bindings(tokens / examples);
  const known = 4 * backbone.config.hiddenSize * examples;
  return {
    memory: known + sessionMemory(graph, bindings(longest).sizes, false),
    work: countWork(graph, mean.sizes),
    passes: examples / mean.rows,
    operators: graph.values.length,
  };
}
