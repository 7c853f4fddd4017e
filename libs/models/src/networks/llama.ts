import type { LlamaConfig } from '@tunefleet/model-formats';
import type { GraphBuilder, Value } from '@tunefleet/tensor';
import { llama, llamaHeadWeight } from '../families/llama.js';
import { packedFeeds, packedInputs } from '../packing/feeds.js';
import { type PackedExamples, packClassified, packExamples } from '../packing/pack.js';
import type { Classifier } from './classifier.js';
import type { Batch, Network, NetworkParts } from './network.js';

/** A language model: every trained-on token is predicted from the one before it. */
export function causalLlama(config: LlamaConfig): Network {
  const feeds = packedFeeds(config);
  return {
    batch: (examples) => batchOf(packExamples(examples), feeds),
    build(builder, parts) {
      const { hidden, targets, weights } = wantedStates(builder, config, parts);
      return { logits: { states: hidden, classes: llamaHeadWeight(config, parts) }, targets, weights };
    },
  };
}

/** LlamaForSequenceClassification: the class is predicted from the last token. */
export function llamaClassifier(config: LlamaConfig): Classifier {
  const feeds = packedFeeds(config);
  return {
    batch: (examples) => batchOf(packClassified(examples, 'last'), feeds),
    features(builder, parts) {
      const { hidden, targets, weights } = wantedStates(builder, config, parts);
      return { features: hidden, targets, weights };
    },
    head: ({ linear }, last) => last.builder.scope('head', () => linear('score', last)),
  };
}

/** Hidden states of the tokens from which something is predicted, [trained, hidden]. */
function wantedStates(builder: GraphBuilder, config: LlamaConfig, parts: NetworkParts): { hidden: Value; targets: Value; weights: Value } {
  const { ids, cos, sin, trained, targets, weights, ...inputs } = packedInputs(builder, config);
  const attention = (_layer: number, ...heads: Parameters<typeof inputs.attention>) =>
    builder.scope('core', () => inputs.attention(...heads));
  return { hidden: llama(config, { ...parts, attention, cos, sin, wanted: trained }, ids), targets, weights };
}

/** What the passes need to know of packed examples. */
export function batchOf(packed: PackedExamples | null, feeds: (packed: PackedExamples) => Batch['feeds']): Batch | null {
  if (!packed) return null;
  const { ids, lengths, span, targets, weights } = packed;
  return {
    feeds: feeds(packed),
    sizes: { tokens: ids.length, examples: lengths.length, span, trained: targets.length },
    trained: targets.length,
    weight: weights.reduce((sum, weight) => sum + weight, 0),
  };
}
