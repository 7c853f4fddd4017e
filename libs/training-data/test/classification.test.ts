import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { TextTokenizer } from '@tunefleet/tokenization';
import { prepare } from '../src/prepare/prepare.js';
import { PreparedData } from '../src/shards/reader.js';
import { validate } from '../src/validate.js';

const BERT = JSON.stringify({
  version: '1.0',
  truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
  padding: { strategy: { Fixed: 12 }, direction: 'Right', pad_to_multiple_of: null, pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] }, '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } },
  },
  decoder: null,
  model: {
    type: 'WordLevel',
    vocab: { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, a: 4, good: 5, bad: 6, film: 7 },
    unk_token: '[UNK]',
  },
});
const tokenizer = await TextTokenizer.from({ tokenizer: BERT });

async function* lines(rows: readonly unknown[]): AsyncGenerator<Uint8Array> {
  for (const row of rows) yield Buffer.from(`${JSON.stringify(row)}\n`);
}
const LABELS = ['good', 'bad', 'none'];
const rows = (count: number) => Array.from({ length: count }, (_, row) => ({ text: `A ${LABELS[row % 3]} film`, label: LABELS[row % 3] }));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'training-data-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function prepared(given: readonly unknown[], settings: { maxTokens: number; onOverflow: 'error' | 'truncate' }, shardTokens = 1000) {
  const result = await prepare(lines(given), tokenizer, settings, (name, bytes) => writeFile(join(folder, name), bytes), { shardTokens });
  if ('faults' in result) throw new Error(JSON.stringify(result));
  return PreparedData.open(folder);
}

test('rows become ids between [CLS] and [SEP], without the padding and truncation of the tokenizer file, and numbers of classes', async () => {
  const data = await prepared(rows(12), { maxTokens: 16, onOverflow: 'error' }, 11);
  expect(data.manifest).toMatchObject({ kind: 'classification', labels: LABELS, examples: 12, tokens: 60, trained_tokens: 60 });
  expect(data.manifest.shards.length).toBeGreaterThan(1);
  expect(Array.from({ length: 12 }, (_, row) => data.get(row).label)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
  expect([...data.get(7).ids]).toEqual([2, 4, 6, 7, 3]);
  data.close();
});

test('a text that is cut keeps the token that closes it', async () => {
  const data = await prepared(rows(10), { maxTokens: 4, onOverflow: 'truncate' });
  expect([...data.get(0).ids]).toEqual([2, 4, 5, 3]);
  expect(data.manifest.truncated).toBe(10);
  data.close();
});

test.each([
  ['a text that is none', { text: 3, label: 'good' }, 'invalid_content'],
  ['no text', { label: 'good' }, 'invalid_content'],
  ['an empty text', { text: '', label: 'good' }, 'invalid_content'],
  ['a label that is a number', { text: 'a', label: 1 }, 'invalid_label'],
  ['a blank label', { text: 'a', label: ' ' }, 'invalid_label'],
  ['a label that is too long', { text: 'a', label: 'x'.repeat(65) }, 'invalid_label'],
  ['another key', { text: 'a', label: 'good', weight: 1 }, 'unknown_field'],
  ['a chat row among them', { messages: [{ role: 'assistant', content: 'a' }] }, 'mixed_formats'],
])('%s is a fault of its line', async (_name, row, code) => {
  const report = await validate(lines([...rows(10), row]));
  expect(report).toMatchObject({ rows: 11, kind: 'classification', faults: { [code]: 1 }, data: [{ line: 11, code }] });
});

test('a special token in a text is found by preparation', async () => {
  const result = await prepare(
    lines([...rows(10), { text: 'a [SEP] b', label: 'good' }]),
    tokenizer,
    { maxTokens: 9, onOverflow: 'error' },
    () => Promise.resolve(),
  );
  expect(result).toMatchObject({ faults: { special_token: 1 }, data: [{ line: 11, column: 9 }] });
});

test('256 classes are taken, one more is a fault where it stands', async () => {
  const classes = (count: number) => Array.from({ length: count }, (_, row) => ({ text: 'a', label: `class ${row}` }));
  expect((await validate(lines(classes(256)))).faults).toEqual({});
  expect(await validate(lines(classes(258)))).toMatchObject({ faults: { too_many_labels: 2 }, data: [{ line: 257 }, { line: 258 }] });
});
