import type { LlamaConfig } from '@tunefleet/model-formats';
import { type Feed, type GraphBuilder, reshape, type Tensor, type Value } from '@tunefleet/tensor';
import { arrangeRows } from '../layers/arrange-rows.js';
import { BLOCK, causalAttention, causalBiases, type HeadShape, QUERY_BLOCKS } from '../layers/attention.js';
import { type RopeTable, ropeTable } from '../layers/rope.js';
import type { PackedExamples } from './pack.js';

/** Values of a graph over packed examples; their feeds come from {@link packedFeeds}. Dimensions: tokens, examples, half_block, trained. */
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
  const index = (name: string, count: number, slots: Value) => ({
    slots,
    back: builder.input(`slot_of_${name}`, 'i32', ['tokens', count]),
  });
  const queryOfSlot = builder.input('query_of_slot', 'i32', [QUERY_BLOCKS, 'examples', heads, 2, 'half_block']);
  const queries = index('query', heads, reshape(queryOfSlot, [QUERY_BLOCKS, 'examples', heads, BLOCK]));
  const keyOfSlot = builder.input('key_of_slot', 'i32', ['examples', keyValueHeads, `${QUERY_BLOCKS}*${BLOCK}`]);
  const keys = index('key', keyValueHeads, keyOfSlot);
  const biases = builder.scope('mask', () => causalBiases(builder, lengths));
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
      const attended = causalAttention(shape, spread(q, queries), spread(k, keys), spread(v, keys), biases);
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
    const span = 2 * QUERY_BLOCKS * Math.ceil(packed.span / (2 * QUERY_BLOCKS));
    const queries = blockIndex(packed, config.heads, span, QUERY_BLOCKS);
    const keys = headIndex(packed, config.keyValueHeads, span);
    return {
      ids: packed.ids,
      cos: rowsAt(table.cos, packed.positions, config.headSize / 2),
      sin: rowsAt(table.sin, packed.positions, config.headSize / 2),
      lengths: packed.lengths,
      query_of_slot: { data: queries.slots.data, shape: [QUERY_BLOCKS, packed.lengths.length, config.heads, 2, span / (2 * QUERY_BLOCKS)] },
      slot_of_query: queries.back,
      key_of_slot: keys.slots,
      slot_of_key: keys.back,
      trained_tokens: packed.trainedTokens,
      trained_of_token: packed.trainedOfToken,
      targets: packed.targets,
      weights: packed.weights,
    };
  };
}

interface SlotIndex {
  slots: Tensor<Int32Array>;
  /** [tokens * heads] */
  back: Int32Array;
}

/** Between rows [tokens * heads] and [examples, heads, span]: transposition and padding in one gather each way. */
export function headIndex(packed: PackedExamples, heads: number, span = packed.span): SlotIndex {
  const { slots, back } = blockIndex(packed, heads, span, 1);
  return { slots: { data: slots.data, shape: slots.shape.slice(1) }, back };
}

/** The same with the span in blocks of their own: [blocks, examples, heads, span / blocks]. */
function blockIndex({ lengths, ids }: PackedExamples, heads: number, span: number, blocks: number): SlotIndex {
  const block = span / blocks;
  const slots = new Int32Array(lengths.length * heads * span);
  const back = new Int32Array(ids.length * heads);
  let token = 0;
  lengths.forEach((length, example) => {
    for (let position = 0; position < length; position++, token++) {
      const place = Math.floor(position / block);
      for (let head = 0; head < heads; head++) {
        const slot = ((place * lengths.length + example) * heads + head) * block + (position % block);
        const row = token * heads + head;
        slots[slot] = row;
        back[row] = slot;
      }
    }
  });
  return { slots: { data: slots, shape: [blocks, lengths.length, heads, block] }, back };
}

/** Rows of a table [positions, width] at each token's position. */
export function rowsAt(table: Float32Array, positions: Int32Array, width: number): Float32Array {
  const rows = new Float32Array(positions.length * width);
  positions.forEach((position, token) => {
    rows.set(table.subarray(position * width, (position + 1) * width), token * width);
  });
  return rows;
}
