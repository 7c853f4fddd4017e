import type { TextTokenizer } from '@tunefleet/tokenization';
import type { KindName } from '../kinds/kind.js';
import type { Fault } from '../rows/fault.js';
import { located, type TrainingRow, trainingRows } from '../validate.js';
import { type Example, trainedTokens } from './example.js';
import { renderRow, toExample } from './render-row.js';

export interface ExampleSettings {
  /** Tokens of one example at most. */
  maxTokens: number;
  /** A longer row is a fault, loses its end, or is left out. */
  onOverflow: 'error' | 'truncate' | 'drop';
  /** What a template that prints the date takes for today; a fixed day by default, so that the same rows give the same tokens. */
  date?: Date | undefined;
}

/** What became of one row. `dropped`: too long, or nothing left to train on. */
export type Outcome = { example: Example; kind: KindName; truncated: boolean } | { fault: Fault } | { dropped: true };

/** Rows encoded at once, on all cores. */
const BATCH_ROWS = 64;

/** The examples of a training file in its order, in constant memory. */
export async function* examplesOf(
  source: AsyncIterable<Uint8Array>,
  tokenizer: TextTokenizer,
  settings: ExampleSettings,
): AsyncGenerator<Outcome> {
  let batch: (TrainingRow | { line: number; fault: Fault })[] = [];
  for await (const item of trainingRows(source)) {
    batch.push(item);
    if (batch.length === BATCH_ROWS) {
      yield* encodeRows(batch, tokenizer, settings);
      batch = [];
    }
  }
  yield* encodeRows(batch, tokenizer, settings);
}

async function* encodeRows(
  items: readonly (TrainingRow | { line: number; fault: Fault })[],
  tokenizer: TextTokenizer,
  settings: ExampleSettings,
): AsyncGenerator<Outcome> {
  const rows = items.map((item) => {
    if ('fault' in item) return { item, fault: item.fault, rendered: null };
    const rendered = renderRow(item, tokenizer, settings.date);
    return 'code' in rendered ? { item, fault: located(item.line, item.text, rendered), rendered: null } : { item, rendered, fault: null };
  });
  const texts = rows.flatMap(({ rendered }) => (rendered ? [rendered.text] : []));
  const encodings = (await tokenizer.encodeBatch(texts)).values();
  for (const { item, rendered, fault } of rows) {
    if (rendered) yield fitted(toExample(rendered, encodings.next().value!, item.line, tokenizer), item.kind, settings);
    else yield { fault };
  }
}

function fitted(example: Example, kind: KindName, { maxTokens, onOverflow }: ExampleSettings): Outcome {
  const { ids, weights, row } = example;
  if (ids.length <= maxTokens) return trainedTokens(example) > 0 ? { example, truncated: false, kind } : { dropped: true };
  switch (onOverflow) {
    case 'error':
      return {
        fault: {
          line: row,
          column: 1,
          code: 'too_many_tokens',
          message: `the row has ${ids.length} tokens; at most ${maxTokens} are allowed`,
        },
      };
    case 'drop':
      return { dropped: true };
    case 'truncate': {
      const short = { ids: ids.slice(0, maxTokens), weights: weights.slice(0, maxTokens), row };
      return trainedTokens(short) > 0 ? { example: short, truncated: true, kind } : { dropped: true };
    }
  }
}
