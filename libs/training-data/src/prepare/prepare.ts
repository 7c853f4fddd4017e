import { DEFAULT_DATE, type TextTokenizer } from '@tunefleet/tokenization';
import type { KindName } from '../kinds/kind.js';
import { type Fault, type FaultCode, FaultLog } from '../rows/fault.js';
import type { PreparedManifest } from '../shards/format.js';
import { type ShardSink, ShardWriter } from '../shards/writer.js';
import { type ExampleSettings, examplesOf } from './examples.js';

export interface PrepareOptions {
  /** Tokens of one shard at most (8 bytes each), but for an example longer than that. */
  shardTokens?: number;
  /** Stops between rows; the promise rejects with its reason. */
  signal?: AbortSignal;
  onProgress?: (rows: number) => void;
}

/** The manifest, or the faults for which nothing was prepared (shards handed to the sink before are to be discarded). */
export type Prepared = { manifest: PreparedManifest } | { faults: Partial<Record<FaultCode, number>>; data: Fault[] };

/**
 * Tokenizes a training file for a model: rendered with its template, masked, cut to length, written as shards to `sink`. The same file, tokenizer
 * and settings give the same bytes. Constant memory: one batch of rows and one shard.
 */
export async function prepare(
  source: AsyncIterable<Uint8Array>,
  tokenizer: TextTokenizer,
  settings: ExampleSettings,
  sink: ShardSink,
  options: PrepareOptions = {},
): Promise<Prepared> {
  const writer = new ShardWriter(sink, options.shardTokens);
  const faults = new FaultLog();
  const counts = { rows: 0, truncated: 0, dropped: 0 };
  let kind: KindName = 'chat';
  let labels: readonly string[] = [];
  for await (const outcome of examplesOf(source, tokenizer, settings)) {
    options.signal?.throwIfAborted();
    counts.rows += 1;
    if ('fault' in outcome) faults.add(outcome.fault);
    else if ('dropped' in outcome) counts.dropped += 1;
    else {
      if (outcome.truncated) counts.truncated += 1;
      ({ kind, labels } = outcome);
      if (faults.first.length === 0) await writer.add(outcome.example);
    }
    if (counts.rows % 1000 === 0) options.onProgress?.(counts.rows);
  }
  if (counts.rows === 0) faults.add({ line: 1, column: 1, code: 'empty_file', message: 'the file has no rows' });
  else if (faults.first.length === 0 && writer.totals.examples === 0) {
    faults.add({
      line: 1,
      column: 1,
      code: 'too_many_tokens',
      message: `no row leaves anything to train on within ${settings.maxTokens} tokens`,
    });
  }
  if (faults.first.length > 0) return { faults: faults.counts, data: faults.first };
  const date = (settings.date ?? DEFAULT_DATE).toISOString().slice(0, 10);
  const manifest = await writer.finish({
    kind,
    ...counts,
    ...(kind === 'classification' ? { labels: [...labels] } : {}),
    settings: { max_tokens: settings.maxTokens, on_overflow: settings.onOverflow, date },
  });
  return { manifest };
}
