import type { JsonValue } from '@tunefleet/strict-json';
import {
  type Encoded,
  type RenderedChat,
  type RenderOptions,
  type Span,
  type TextTokenizer,
  TokenizationError,
} from '@tunefleet/tokenization';
import type { ChatRow } from '../kinds/chat.js';
import type { RowFault } from '../rows/fault.js';
import type { TrainingRow } from '../validate.js';
import type { Example } from './example.js';

/** A row as text, with the parts that are trained on and their weights. */
export interface RenderedRow {
  text: string;
  spans: Span[];
  /** Of each span. */
  weights: number[];
  /** Tokens before and after the text, e.g. the beginning and the end of text around a completion row. */
  before: readonly number[];
  after: readonly number[];
}

/**
 * A chat row by the model's template, trained on the answers of weight 1; a completion row as its prompt and completion between beginning and end of
 * text, trained on the completion and the end; a classification row as its text as the tokenizer closes it. Or the row's fault: `special_token`; `invalid_row` where the template refuses it.
 */
export function renderRow(item: TrainingRow, tokenizer: TextTokenizer, date: Date | undefined): RenderedRow | RowFault {
  const special = findSpecialToken(item.row as unknown as JsonValue, [], tokenizer);
  if (special) return special;
  switch (item.kind) {
    case 'chat':
      return renderChat(item.row, tokenizer, date);
    case 'completion': {
      const { prompt, completion } = item.row;
      const text = prompt + completion;
      const { eos } = tokenizer.specialTokens;
      return {
        text,
        spans: [{ start: prompt.length, end: text.length }],
        weights: [1],
        before: tokenizer.prefixIds,
        after: eos ? [eos.id] : [],
      };
    }
    case 'classification':
      return { text: item.row.text, spans: [], weights: [], before: tokenizer.prefixIds, after: tokenizer.suffixIds };
  }
}

/** The tokens of a rendered row with their weights, the first `maxTokens` of `length`; what closes a text that is read whole is kept. */
export function toExample(
  { spans, weights, before, after }: RenderedRow,
  encoded: Encoded,
  row: number,
  tokenizer: TextTokenizer,
  maxTokens: number,
): { example: Example; length: number } {
  const length = before.length + encoded.length + after.length;
  const ids = new Int32Array(Math.min(length, maxTokens));
  const losses = new Float32Array(ids.length);
  const owners = tokenizer.spanOfTokens(encoded, spans);
  for (let index = 0; index < ids.length; index += 1) {
    const inText = index - before.length;
    if (inText < 0) ids[index] = before[index]!;
    else if (inText < encoded.length) {
      ids[index] = encoded.ids[inText]!;
      losses[index] = weights[owners[inText]!] ?? 0;
    } else {
      ids[index] = after[inText - encoded.length]!;
      losses[index] = weights.at(-1) ?? 0;
    }
  }
  if (spans.length === 0 && length > maxTokens) ids.set(after.slice(0, maxTokens), Math.max(0, maxTokens - after.length));
  losses[0] = 0;
  return { example: { ids, weights: losses, row }, length };
}

function renderChat(row: ChatRow, tokenizer: TextTokenizer, date: Date | undefined): RenderedRow | RowFault {
  const options: RenderOptions = { tools: row.tools };
  if (date) options.now = date;
  let rendered: RenderedChat;
  try {
    rendered = tokenizer.chatTemplate.renderWithSpans(row.messages, options);
  } catch (error) {
    if (!(error instanceof TokenizationError)) throw error;
    return { code: 'invalid_row', path: ['messages'], message: error.message };
  }
  const weights = row.messages.flatMap(({ role, weight }) => (role === 'assistant' ? [weight ?? 1] : []));
  return { ...rendered, weights, before: [], after: [] };
}

/** Any text of a row that the tokenizer would read as one of its special tokens: a user could end a turn with it. */
function findSpecialToken(value: JsonValue, path: RowFault['path'], tokenizer: TextTokenizer): RowFault | null {
  if (typeof value === 'string') {
    const found = tokenizer.findSpecialToken(value);
    return (
      found && { code: 'special_token', path, message: `the text contains the special token ${found.token} of this model's tokenizer` }
    );
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, child] of Object.entries(value)) {
    const found = findSpecialToken(child, [...path, Array.isArray(value) ? Number(key) : key], tokenizer);
    if (found) return found;
  }
  return null;
}
