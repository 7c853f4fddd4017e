import type { Batch } from '@tunefleet/models';
import { type Graph, type Inspection, sizesOf } from '@tunefleet/tensor';
import type { Trainable } from '../model/trainable.js';
import { type ExampleSource, TrainingError, type TrainingSpec } from '../spec.js';
import { passMemory } from './pass.js';

/** The micro-batch of the longest rows, larger than any that will come: what memory must do for. Null where nothing is trained on. */
export function largestBatch(model: Pick<Trainable, 'network'>, source: ExampleSource, count: number): Batch | null {
  const lengths = Int32Array.from({ length: source.count }, (_, row) => source.get(row).ids.length);
  const rows = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]!).slice(0, count);
  return model.network.batch(rows.map((row) => source.get(row)));
}

const mb = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

/** Throws `insufficient_memory` where a run of this graph cannot fit, before a session is made of it. */
export function requireRoom(
  graph: Graph,
  feeds: Batch['feeds'],
  spec: Pick<TrainingSpec, 'memory' | 'memory_limit' | 'batch_size' | 'micro_batch_size'>,
  trained: number,
): void {
  const { memory = 'fast', memory_limit: limit = Number.POSITIVE_INFINITY } = spec;
  const lean = memory === 'lean';
  const needed = passMemory(graph, sizesOf(graph, feeds), { lean, trained, accumulates: spec.batch_size > spec.micro_batch_size });
  if (needed <= limit) return;
  const next = lean ? 'Shorten the rows, make micro_batch_size or the rank smaller, or take a smaller base.' : "memory 'lean' needs less.";
  throw new TrainingError('insufficient_memory', `training needs about ${mb(needed)}, and there may be used ${mb(limit)}. ${next}`);
}

/**
 * `requireRoom` as a graph that is compiled asks it: its verdict depends on the graph, on the sizes of what is fed, and on these settings.
 */
export function roomInspection(
  feeds: () => Batch['feeds'],
  { memory = 'fast', memory_limit = Number.POSITIVE_INFINITY, batch_size, micro_batch_size }: Parameters<typeof requireRoom>[2],
  trained: number,
): Inspection {
  const spec = { memory, memory_limit, batch_size, micro_batch_size };
  return {
    question() {
      const sizes = Object.entries(feeds()).map(([name, feed]) => [name, ArrayBuffer.isView(feed) ? feed.length : feed.shape]);
      return JSON.stringify([sizes, spec, trained]);
    },
    inspect: (graph) => requireRoom(graph, feeds(), spec, trained),
  };
}
