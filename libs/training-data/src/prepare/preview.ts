import type { TextTokenizer } from '@tunefleet/tokenization';
import type { Fault } from '../rows/fault.js';
import { type ExampleSettings, examplesOf } from './examples.js';

/** A row as the model will see it. The arrays are parallel. */
export interface PreviewRow {
  line: number;
  text: string;
  ids: number[];
  /** As the vocabulary writes them. */
  tokens: string[];
  trained: boolean[];
  truncated: boolean;
}

/** The first `count` rows that become examples, and the faults met on the way. */
export async function preview(
  source: AsyncIterable<Uint8Array>,
  tokenizer: TextTokenizer,
  settings: ExampleSettings,
  count: number,
): Promise<{ rows: PreviewRow[]; faults: Fault[] }> {
  const rows: PreviewRow[] = [];
  const faults: Fault[] = [];
  for await (const outcome of examplesOf(source, tokenizer, settings)) {
    if ('fault' in outcome) faults.push(outcome.fault);
    else if ('example' in outcome) {
      const { ids, weights, row } = outcome.example;
      rows.push({
        line: row,
        text: await tokenizer.decode([...ids], { skipSpecialTokens: false }),
        ids: [...ids],
        tokens: Array.from(ids, (id) => tokenizer.idToToken(id) ?? ''),
        trained: Array.from(weights, (weight) => weight !== 0),
        truncated: outcome.truncated,
      });
    }
    if (rows.length + faults.length >= count) break;
  }
  return { rows, faults };
}
