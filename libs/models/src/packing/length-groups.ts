import { concat, type Feed, type GraphBuilder, reshape, slice, type Value } from '@tunefleet/tensor';
import { arrangeRows } from '../layers/arrange-rows.js';
import type { PackedExamples } from './pack.js';

// Attention spreads examples over [examples, longest]: with short and long ones together most of that is pads, and its cost grows with the
// square of the longest. Examples of like length form groups with a longest of their own. (SST-2 in batches of 32: 4 groups have 40 % of
// the scores of one.)

const GROUPS = 4;
const INDEXES = Array.from({ length: GROUPS }, (_, group) => group);

const examplesOf = (group: number): string => `examples_${group}`;
const spanOf = (group: number): string => `span_${group}`;
const rowsOf = (group: number, heads: number): string => `${heads}*${examplesOf(group)}*${spanOf(group)}`;

interface Group {
  /** [examples of the group] of i32: tokens of each */
  lengths: Value;
  /** [span of the group] of i32: 0, 1, ... */
  places: Value;
}

export interface GroupedHeads {
  groups: readonly Group[];
  /** [tokens, heads * headSize] -> of each group [examples, heads, span, headSize] */
  spread(x: Value): Value[];
  /** and back */
  join(parts: readonly Value[]): Value;
}

/** Tokens by groups of examples of like length; fed by {@link lengthGroupFeeds}. */
export function groupedHeads(builder: GraphBuilder, heads: number, headSize: number): GroupedHeads {
  const groups = INDEXES.map((group) => ({
    lengths: builder.input(`lengths_${group}`, 'i32', [examplesOf(group)]),
    places: builder.input(`places_${group}`, 'i32', [spanOf(group)]),
  }));
  const ends = INDEXES.map((last) =>
    INDEXES.slice(0, last + 1)
      .map((group) => rowsOf(group, heads))
      .join('+'),
  );
  const slots = builder.input('head_of_group_slot', 'i32', [ends.at(-1)!]);
  const back = builder.input('group_slot_of_head', 'i32', ['tokens', heads]);
  return {
    groups,
    spread(x) {
      const rows = arrangeRows(reshape(x, [-1, headSize]), slots, back);
      return INDEXES.map((group) =>
        reshape(slice(rows, 0, ends[group - 1] ?? 0, ends[group]!), [examplesOf(group), heads, spanOf(group), headSize]),
      );
    },
    join(parts) {
      const [first, ...rest] = parts.map((part) => reshape(part, [-1, headSize])) as [Value, ...Value[]];
      return reshape(arrangeRows(concat([first, ...rest], 0), back, slots), ['tokens', heads * headSize]);
    },
  };
}

/**
 * The feeds of {@link groupedHeads}, and the sizes of its dimensions. A group that has no examples of its own computes the shortest again;
 * nobody reads it.
 */
export function lengthGroupFeeds(packed: PackedExamples, heads: number): { feeds: Record<string, Feed>; sizes: Record<string, number> } {
  const { lengths, ids } = packed;
  const order = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const members = INDEXES.map((group) => {
    const own = order.slice(Math.floor((order.length * group) / GROUPS), Math.floor((order.length * (group + 1)) / GROUPS));
    return own.length > 0 ? { examples: own, own: true } : { examples: order.slice(0, 1), own: false };
  });
  const spans = members.map(({ examples }) => lengths[examples.at(-1)!]!);
  const starts = new Int32Array(lengths.length);
  for (let example = 1; example < starts.length; example++) starts[example] = starts[example - 1]! + lengths[example - 1]!;
  const slots = new Int32Array(members.reduce((sum, { examples }, group) => sum + examples.length * heads * spans[group]!, 0));
  const back = new Int32Array(ids.length * heads);
  let base = 0;
  members.forEach(({ examples, own }, group) => {
    const span = spans[group]!;
    for (const example of examples) {
      for (let head = 0; head < heads; head++, base += span) {
        for (let position = 0; position < lengths[example]!; position++) {
          const row = (starts[example]! + position) * heads + head;
          slots[base + position] = row;
          if (own) back[row] = base + position;
        }
      }
    }
  });
  const feeds: Record<string, Feed> = { head_of_group_slot: { data: slots, shape: [slots.length] }, group_slot_of_head: back };
  const sizes: Record<string, number> = {};
  members.forEach(({ examples }, group) => {
    feeds[`lengths_${group}`] = Int32Array.from(examples, (example) => lengths[example]!);
    feeds[`places_${group}`] = Int32Array.from({ length: spans[group]! }, (_, place) => place);
    sizes[examplesOf(group)] = examples.length;
    sizes[spanOf(group)] = spans[group]!;
  });
  return { feeds, sizes };
}
