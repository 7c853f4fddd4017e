import type { LlamaConfig } from '@tunefleet/model-formats';
import { type Feed, type GraphBuilder, reshape, type Value } from '@tunefleet/tensor';
import { arrangeRows } from '../layers/arrange-rows.js';
import { causalBias, groupedAttention, type HeadShape } from '../layers/attention.js';
import { type RopeTable, ropeTable } from '../layers/rope.js';
import type { PackedExamples } from './pack.js';

/** Values of a graph over packed examples; their feeds come from {@link packedFeeds}. Dimensions: tokens, examples, span, trained. */
export interface PackedInputs {
  ids: Value;
  cos: Value;
  sin: Value;
  /** block-diagonal causal attention: q [tokens, heads, headSize], ... -> [tokens, heads * headSize] */
  attention(q: Value, k: Value, v: Value): Value;
  /** rows of the tokens from which a trained-on id is predicted: [tokens, ...] -> [trained, ...] */
  trained(x: Value): Value;
  /** [trained] of i32 */
  targets: Value;
  /** [trained] */
  weights: Value;
}

export function packedInputs(builder: GraphBuilder, config: LlamaConfig): PackedInputs {
  const { heads, keyValueHeads, headSize } = config;
  const lengths = builder.input('lengths', 'i32', ['examples']);
  const index = (name: string, count: number) => ({
    slots: builder.input(`${name}_of_slot`, 'i32', ['examples', count, 'span']),
    back: builder.input(`slot_of_${name}`, 'i32', ['tokens', count]),
  });
  const queries = index('query', heads);
  const keys = keyValueHeads === heads ? queries : index('key', keyValueHeads);
  const bias = builder.scope('mask', () => causalBias(builder, lengths, 'span'));
  const trainedTokens = builder.input('trained_tokens', 'i32', ['trained']);
  const trainedOfToken = builder.input('trained_of_token', 'i32', ['tokens']);
  const rows = (x: Value): Value => reshape(x, [-1, headSize]);
  const spread = (x: Value, { slots, back }: typeof queries): Value => arrangeRows(rows(x), slots, back);
  const shape: HeadShape = { heads, keyValueHeads, headSize };
  return {
    ids: builder.input('ids', 'i32', ['tokens']),
    cos: builder.input('cos', 'f32', ['tokens', headSize / 2]),
    sin: builder.input('sin', 'f32', ['tokens', headSize / 2]),
    attention(q, k, v) {
      const attended = groupedAttention(shape, spread(q, queries), spread(k, keys), spread(v, keys), bias);
      return reshape(arrangeRows(rows(attended), queries.back, queries.slots), ['tokens', heads * headSize]);
    },
    trained: (x) => arrangeRows(x, trainedTokens, trainedOfToken, { gaps: true }),
    targets: builder.input('targets', 'i32', ['trained']),
    weights: builder.input('weights', 'f32', ['trained']),
  };
}

/** The feeds of {@link packedInputs} for packed examples. Keeps the rotary table between calls. */
export function packedFeeds(config: LlamaConfig): (packed: PackedExamples) => Record<string, Feed> {
  let table: RopeTable = ropeTable(config, 0);
  return (packed) => {
    if (table.positions < packed.span) table = ropeTable(config, Math.max(packed.span, 2 * table.positions));
    const queries = headIndex(packed, config.heads);
    return {
      ids: packed.ids,
      cos: rowsAt(table.cos, packed.positions, config.headSize / 2),
      sin: rowsAt(table.sin, packed.positions, config.headSize / 2),
      lengths: packed.lengths,
      query_of_slot: queries.slots,
      slot_of_query: queries.back,
      ...(config.keyValueHeads === config.heads ? {} : keyFeeds(packed, config.keyValueHeads)),
      trained_tokens: packed.trainedTokens,
      trained_of_token: packed.trainedOfToken,
      targets: packed.targets,
      weights: packed.weights,
    };
  };
}

function keyFeeds(packed: PackedExamples, count: number): Record<string, Feed> {
  const { slots, back } = headIndex(packed, count);
  return { key_of_slot: slots, slot_of_key: back };
}

/** Between rows [tokens * heads] and [examples, heads, span]: transposition and padding in one gather each way. */
export function headIndex({ tokenOfSlot, slotOfToken, span }: PackedExamples, heads: number): { slots: Feed; back: Feed } {
  const slots = new Int32Array(tokenOfSlot.length * heads);
  for (let at = 0; at < slots.length; at++) {
    const position = at % span;
    const row = Math.floor(at / span);
    const example = Math.floor(row / heads);
    slots[at] = tokenOfSlot[example * span + position]! * heads + (row % heads);
  }
  const back = new Int32Array(slotOfToken.length * heads);
  slotOfToken.forEach((slot, token) => {
    const example = Math.floor(slot / span);
    for (let head = 0; head < heads; head++) back[token * heads + head] = (example * heads + head) * span + (slot - example * span);
  });
  return { slots: { data: slots, shape: [slots.length / (heads * span), heads, span] }, back };
}

/** Rows of a table [positions, width] at each token's position. */
export function rowsAt(table: Float32Array, positions: Int32Array, width: number): Float32Array {
  const rows = new Float32Array(positions.length * width);
  positions.forEach((position, token) => {
    rows.set(table.subarray(position * width, (position + 1) * width), token * width);
  });
  return rows;
}
