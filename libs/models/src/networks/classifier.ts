import type { Backbone } from '@tunefleet/model-formats';
import type { GraphBuilder, Value } from '@tunefleet/tensor';
import type { Example } from '../packing/pack.js';
import { bertClassifier } from './bert.js';
import { llamaClassifier } from './llama.js';
import type { Batch, Network, NetworkParts } from './network.js';

/** A backbone that gives one state an example, and a head on it. */
export interface Classifier {
  batch(examples: readonly Example[]): Batch | null;
  /** what the head reads: [examples, hidden], with `targets` and `weights` of the same rows */
  features(builder: GraphBuilder, parts: NetworkParts): { features: Value; targets: Value; weights: Value };
  /** [examples, hidden] -> logits [examples, classes] */
  head(parts: NetworkParts, features: Value): Value;
}

/** As transformers' ForSequenceClassification of the family. */
export const classifierOf = (backbone: Backbone): Classifier =>
  backbone.family === 'bert' ? bertClassifier(backbone.config) : llamaClassifier(backbone.config);

/** Backbone and head as one. */
export const wholeNetwork = (classifier: Classifier): Network => ({
  batch: classifier.batch,
  build(builder, parts) {
    const { features, targets, weights } = classifier.features(builder, parts);
    return { logits: classifier.head(parts, features), targets, weights };
  },
});

/** An example together with what the backbone says of it, [hidden]. */
export interface FeatureExample extends Example {
  features: Float32Array;
}

/** The head alone, over examples whose features are known. */
export const headNetwork = (classifier: Classifier, hidden: number): Network<FeatureExample> => ({
  batch(examples) {
    const features = new Float32Array(examples.length * hidden);
    examples.forEach((example, place) => {
      features.set(example.features, place * hidden);
    });
    const targets = Int32Array.from(examples, ({ label }) => label!);
    const weights = new Float32Array(examples.length).fill(1);
    return {
      feeds: { features, targets, weights },
      sizes: { examples: examples.length },
      trained: examples.length,
      weight: examples.length,
    };
  },
  build(builder, parts) {
    const features = builder.input('features', 'f32', ['examples', hidden]);
    return {
      logits: classifier.head(parts, features),
      targets: builder.input('targets', 'i32', ['examples']),
      weights: builder.input('weights', 'f32', ['examples']),
    };
  },
});
