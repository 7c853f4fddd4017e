import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Classifier, FeatureExample, NetworkParts } from '@tunefleet/models';
import { compile, GraphBuilder, releaseTensors, type Value } from '@tunefleet/tensor';
import { yieldToEvents } from '../loop/accumulate.js';
import type { ExampleSource } from '../spec.js';

/** Tokens of one pass over the backbone. */
export const FEATURE_TOKENS = 2048;

/** What a frozen backbone says of rows, in evaluation mode: [rows, hidden]. */
export function featuresOf(classifier: Classifier, parts: (builder: GraphBuilder) => Omit<NetworkParts, 'dropout'>): Value {
  const builder = new GraphBuilder();
  return classifier.features(builder, { ...parts(builder), dropout: (_site, _probability, x) => x }).features;
}

export interface FeatureOptions {
  source: ExampleSource;
  classifier: Classifier;
  /** values of one row's features */
  width: number;
  /** the backbone's weights in a graph */
  parts(builder: GraphBuilder): Omit<NetworkParts, 'dropout'>;
  threads: number;
  scratch: string;
  stopped(): boolean;
}

/**
 * What a frozen backbone says of every row, in evaluation mode, kept in memory: 4 x `width` bytes a row. Rows go by length, so that those
 * of one pass are alike; the order, and so every bit, depends on the rows alone. Null when stopped in between.
 */
export async function frozenFeatures(options: FeatureOptions): Promise<ExampleSource | null> {
  const { source, classifier, width, stopped, threads, scratch } = options;
  const features = featuresOf(classifier, options.parts);
  // Before the graph, which would stay where there is no room for this.
  const known = new Float32Array(source.count * width);
  const folder = await mkdtemp(join(scratch, 'graph-'));
  const graph = await compile({ outputs: { features }, threads, spinning: true, folder });
  try {
    for (const rows of groupsByLength(source, FEATURE_TOKENS)) {
      await yieldToEvents();
      if (stopped()) return null;
      const batch = classifier.batch(rows.map((row) => source.get(row)))!;
      const results = await graph.run(batch.feeds);
      const found = results['features']!.data as Float32Array;
      rows.forEach((row, place) => {
        known.set(found.subarray(place * width, (place + 1) * width), row * width);
      });
      releaseTensors(Object.values(results));
    }
  } finally {
    await graph.release();
  }
  return {
    count: source.count,
    get: (row): FeatureExample => ({ ...source.get(row), features: known.subarray(row * width, (row + 1) * width) }),
  };
}

/** Rows from short to long, cut into groups of at most `tokens` tokens; a longer row is a group of its own. */
function groupsByLength(source: ExampleSource, tokens: number): number[][] {
  const lengths = Int32Array.from({ length: source.count }, (_, row) => source.get(row).ids.length);
  const order = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const groups: number[][] = [];
  let room = 0;
  for (const row of order) {
    if (groups.length === 0 || lengths[row]! > room) {
      groups.push([]);
      room = tokens;
    }
    groups.at(-1)!.push(row);
    room -= lengths[row]!;
  }
  return groups;
}
