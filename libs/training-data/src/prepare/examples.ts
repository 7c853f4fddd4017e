import { setImmediate } from 'node:timers/promises';
import type { TextTokenizer } from '@tunefleet/tokenization';
import type { KindName } from '../kinds/kind.js';
import type { Fault } from '../rows/fault.js';
import { located, type TrainingRow, trainingRows } from '../validate.js';
import { type Example, trainedTokens } from './example.js';
import { LabelTable } from './label-table.js';
import { type RenderedRow, renderRow, toExample } from './render-row.js';

export interface ExampleSettings {
  /** Tokens of one example at most. */
  maxTokens: number;
  /** A longer row is a fault, loses its end, or is left out. */
  onOverflow: 'error' | 'truncate' | 'drop';
  /** What a template that prints the date takes for today; a fixed day by default, so that the same rows give the same tokens. */
  date?: Date | undefined;
}

/** What became of one row. `dropped`: too long, or nothing left to train on. */
export type Outcome =
  | { example: Example; kind: KindName; truncated: boolean; labels: readonly string[] }
  | { fault: Fault }
  | { dropped: true };

/** Rows encoded at once, on all cores; fewer where they are long, since the library's tokens of a long text take 100 times its bytes. */
const BATCH_ROWS = 64;
const BATCH_CHARACTERS = 256 * 1024;
/**
 * Longer than any token of any vocabulary (the longest, runs of spaces, have 128): of a text of more characters than `maxTokens` such tokens only
 * that much is tokenized, and it counts as too long.
 */
const MAX_TOKEN_CHARACTERS = 512;
/** Rendering is synchronous: after so long, others get their turn. */
const MAX_BUSY_MS = 20;

type Item = TrainingRow | { line: number; fault: Fault };

/** The examples of a training file in its order, in constant memory. */
export async function* examplesOf(
  source: AsyncIterable<Uint8Array>,
  tokenizer: TextTokenizer,
  settings: ExampleSettings,
): AsyncGenerator<Outcome> {
  const labels = new LabelTable();
  let batch: Item[] = [];
  let characters = 0;
  for await (const item of trainingRows(source)) {
    batch.push(item);
    characters += 'fault' in item ? 0 : item.text.length;
    if (batch.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
    yield* encodeRows(batch, tokenizer, settings, labels);
    batch = [];
    characters = 0;
  }
  yield* encodeRows(batch, tokenizer, settings, labels);
}

async function* encodeRows(
  items: readonly Item[],
  tokenizer: TextTokenizer,
  settings: ExampleSettings,
  labels: LabelTable,
): AsyncGenerator<Outcome> {
  const rows: (RenderedItem | { fault: Fault })[] = [];
  let resumed = performance.now();
  for (const item of items) {
    rows.push('fault' in item ? item : renderItem(item, tokenizer, settings));
    if (performance.now() - resumed < MAX_BUSY_MS) continue;
    await setImmediate();
    resumed = performance.now();
  }
  const { maxTokens } = settings;
  const texts = rows.flatMap((row) => ('rendered' in row ? [row.rendered.text.slice(0, maxTokens * MAX_TOKEN_CHARACTERS)] : []));
  const encodings = (await tokenizer.encodeBatch(texts, { maxTokens })).values();
  for (const row of rows) {
    if ('fault' in row) yield { fault: row.fault };
    else {
      const { example, length } = toExample(row.rendered, encodings.next().value!, row.item.line, tokenizer, maxTokens);
      const whole = row.rendered.text.length <= maxTokens * MAX_TOKEN_CHARACTERS;
      if (row.item.kind === 'classification') example.label = labels.numberOf(row.item.row.label);
      const outcome = fitted(example, whole ? length : Number.POSITIVE_INFINITY, settings);
      yield 'example' in outcome ? { ...outcome, kind: row.item.kind, labels: labels.names } : outcome;
    }
  }
}

interface RenderedItem {
  item: TrainingRow;
  rendered: RenderedRow;
}

function renderItem(item: TrainingRow, tokenizer: TextTokenizer, { date }: ExampleSettings): RenderedItem | { fault: Fault } {
  const rendered = renderRow(item, tokenizer, date);
  return 'code' in rendered ? { fault: located(item.line, item.text, rendered) } : { item, rendered };
}

type Fitted = { example: Example; truncated: boolean } | { fault: Fault } | { dropped: true };

/** `length`: tokens of the whole row; infinite where they were not all counted. */
function fitted(example: Example, length: number, { maxTokens, onOverflow }: ExampleSettings): Fitted {
  const truncated = length > maxTokens;
  if (truncated && onOverflow === 'error') {
    const found = Number.isFinite(length) ? `${length} tokens` : `more than ${maxTokens} tokens`;
    const message = `the row has ${found}; at most ${maxTokens} are allowed`;
    return { fault: { line: example.row, column: 1, code: 'too_many_tokens', message } };
  }
  if (truncated && onOverflow === 'drop') return { dropped: true };
  return trainedTokens(example) > 0 ? { example, truncated } : { dropped: true };
}
