import type { BertConfig } from '@tunefleet/model-formats';
import { type Feed, type GraphBuilder, reshape, type Value } from '@tunefleet/tensor';
import { bert, bertPooler } from '../families/bert.js';
import { arrangeRows } from '../layers/arrange-rows.js';
import { bidirectionalAttention, bidirectionalBias, wholeExampleBias } from '../layers/bidirectional.js';
import { headIndex } from '../packing/feeds.js';
import { groupedHeads, lengthGroupFeeds } from '../packing/length-groups.js';
import { type PackedExamples, packClassified } from '../packing/pack.js';
import type { Classifier } from './classifier.js';
import { batchOf } from './llama.js';
import type { NetworkParts } from './network.js';

/** BertForSequenceClassification: the class is predicted from the first token, through pooler, dropout and one linear. */
export const bertClassifier = (config: BertConfig): Classifier => ({
  batch(examples) {
    const packed = packClassified(examples, 'first');
    const batch = batchOf(packed, (given) => bertFeeds(config, given));
    if (!packed || !batch) return null;
    const { feeds, sizes } = lengthGroupFeeds(packed, config.heads);
    return { ...batch, feeds: { ...batch.feeds, ...feeds }, sizes: { ...batch.sizes, ...sizes } };
  },
  features: (builder, parts) => ({
    features: bertFirst(builder, config, parts),
    targets: builder.input('targets', 'i32', ['examples']),
    weights: builder.input('weights', 'f32', ['examples']),
  }),
  head: (parts, first) => {
    const pooled = bertPooler(parts, first);
    return first.builder.scope('head', () => parts.linear('classifier', parts.dropout('classifier', config.headDropout, pooled)));
  },
});

/** The last hidden state of each example's first token, [examples, hidden]; fed by {@link bertFeeds}. */
function bertFirst(builder: GraphBuilder, config: BertConfig, parts: NetworkParts): Value {
  const { heads, headSize } = config;
  const lengths = builder.input('lengths', 'i32', ['examples']);
  const slots = builder.input('head_of_slot', 'i32', ['examples', heads, 'span']);
  const back = builder.input('slot_of_head', 'i32', ['tokens', heads]);
  const first = builder.input('first_tokens', 'i32', ['examples']);
  const firstOfToken = builder.input('first_of_token', 'i32', ['tokens']);
  const grouped = groupedHeads(builder, heads, headSize);
  const biases = builder.scope('mask', () => grouped.groups.map((group) => bidirectionalBias(group.lengths, group.places)));
  const wantedBias = builder.scope('mask', () => wholeExampleBias(builder, lengths, 'span'));
  const spread = (x: Value): Value => arrangeRows(reshape(x, [-1, headSize]), slots, back);
  const dropped = (layer: number, group: number) => (probabilities: Value) =>
    parts.dropout(`bert.encoder.layer.${layer}.attention.self.${group}`, config.attentionDropout, probabilities);
  return bert(
    config,
    {
      ...parts,
      attention(layer, q, k, v) {
        const [queries, keys, values] = [q, k, v].map(grouped.spread) as [Value[], Value[], Value[]];
        return grouped.join(
          biases.map((bias, group) => bidirectionalAttention(queries[group]!, keys[group]!, values[group]!, bias, dropped(layer, group))),
        );
      },
      attentionOfWanted(layer, q, k, v) {
        const queries = reshape(q, ['examples', heads, 1, headSize]);
        return reshape(bidirectionalAttention(queries, spread(k), spread(v), wantedBias, dropped(layer, 0)), [
          'examples',
          config.hiddenSize,
        ]);
      },
      positions: builder.input('positions', 'i32', ['tokens']),
      wanted: (x) => arrangeRows(x, first, firstOfToken, { gaps: true }),
    },
    builder.input('ids', 'i32', ['tokens']),
  );
}

/** The feeds of {@link bertFirst}, targets and weights. */
function bertFeeds({ heads }: BertConfig, packed: PackedExamples): Record<string, Feed> {
  const { slots, back } = headIndex(packed, heads);
  return {
    ids: packed.ids,
    positions: packed.positions,
    lengths: packed.lengths,
    head_of_slot: slots,
    slot_of_head: back,
    first_tokens: packed.trainedTokens,
    first_of_token: packed.trainedOfToken,
    targets: packed.targets,
    weights: packed.weights,
  };
}
