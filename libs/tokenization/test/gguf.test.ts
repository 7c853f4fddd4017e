import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ggufTokenizerFiles } from '../src/gguf/tokenizer-files.js';
import { TextTokenizer } from '../src/tokenizer/text-tokenizer.js';

type Entries = Record<string, unknown>;
interface Kind {
  metadata: Entries;
  cases: { with: Entries; ids: number[][] }[];
}
const fixture = JSON.parse(readFileSync(new URL('fixtures/gguf.json', import.meta.url), 'utf8')) as {
  samples: string[];
  byte_level: Kind;
  sentence_piece: Kind;
};
const { samples, byte_level: byteLevel, sentence_piece: sentencePiece } = fixture;
const files = (entries: Entries) => ggufTokenizerFiles(new Map(Object.entries(entries)));
const load = (entries: Entries) => TextTokenizer.from(files(entries));

/** Where a model's own tokenizer.json, which is followed here, says something else than llama.cpp. */
const differs = (entries: Entries, text: string): boolean => entries['tokenizer.ggml.pre'] === 'qwen2' && text !== text.normalize('NFC'); // llama.cpp does not normalize

describe.each([
  ['byte-level', byteLevel],
  ['SentencePiece', sentencePiece],
])('%s', (_name, { metadata, cases }) => {
  test.each(cases.map((one) => [JSON.stringify(one.with), one] as const))(
    '%s gives the ids of llama.cpp',
    async (_title, { with: more, ids }) => {
      const tokenizer = await load({ ...metadata, ...more });
      for (const [index, text] of samples.entries()) {
        if (differs(more, text)) continue;
        expect([text, (await tokenizer.encode(text, { addSpecialTokens: true })).ids]).toEqual([text, ids[index]]);
      }
    },
  );

  test.each(cases.map((one) => [JSON.stringify(one.with), one] as const))('%s: every text comes back', async (_title, { with: more }) => {
    const tokenizer = await load({ ...metadata, ...more });
    for (const text of samples) {
      const { ids } = await tokenizer.encode(text);
      // SentencePiece's space in front of a text also stands behind a token found whole, here as in llama.cpp.
      const spaced = metadata === sentencePiece.metadata && text.startsWith('<tool>');
      if (!differs(more, text) && !spaced) expect(await tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(text);
    }
  });
});

test('smollm reads digits one by one', async () => {
  const tokenizer = await load({ ...byteLevel.metadata, 'tokenizer.ggml.pre': 'smollm' });
  const { ids } = await tokenizer.encode('7890');
  expect(ids.map((id) => tokenizer.idToToken(id))).toEqual(['7', '8', '9', '0']);
});

test('special tokens, roles and the chat template are taken over', async () => {
  const more = { 'tokenizer.chat_template': '{{ bos_token }}!', 'tokenizer.ggml.padding_token_id': 0, 'tokenizer.ggml.pre': 'gpt-2' };
  const tokenizer = await load({ ...byteLevel.metadata, ...more });
  expect(tokenizer.specialTokens).toMatchObject({ bos: { id: 1 }, eos: { id: 2, text: '<|im_end|>' }, pad: { id: 0 }, unk: null });
  expect(tokenizer.findSpecialToken('a <tool> b <|im_end|>')?.token).toBe('<|im_end|>'); // a user-defined token is no special one
  expect([tokenizer.chatTemplate.isDefault, tokenizer.chatTemplate.render([])]).toEqual([false, '<|im_start|>!']);
  expect(tokenizer.prefixIds).toEqual([]);
});

const changed = (kind: Kind, key: string, change: (value: unknown[]) => unknown): Entries => ({
  ...kind.metadata,
  [`tokenizer.ggml.${key}`]: change([...(kind.metadata[`tokenizer.ggml.${key}`] as unknown[])]),
});

test.each<[string, Entries, string, string]>([
  ['another model', { ...byteLevel.metadata, 'tokenizer.ggml.model': 't5' }, 'not_supported', '`tokenizer.ggml.model` = t5'],
  [
    'another pre',
    { ...byteLevel.metadata, 'tokenizer.ggml.pre': 'tekken' },
    'not_supported',
    '`tokenizer.ggml.pre` = tekken (known: default, gpt-2',
  ],
  ['a pre that every object inherits', { ...byteLevel.metadata, 'tokenizer.ggml.pre': 'constructor' }, 'not_supported', 'constructor'],
  ['no tokens', { 'tokenizer.ggml.model': 'gpt2' }, 'invalid_tokenizer', '`tokenizer.ggml.tokens` is missing'],
  ['tokens that are numbers', changed(byteLevel, 'tokens', () => [1]), 'invalid_tokenizer', 'is not a list of the expected kind'],
  ['a token twice', changed(byteLevel, 'tokens', (list) => list.with(5, list[4])), 'invalid_tokenizer', 'tokens 4 and 5 are both'],
  ['too few types', changed(byteLevel, 'token_type', (list) => list.slice(1)), 'invalid_tokenizer', 'entries for'],
  ['a merge of one part', changed(byteLevel, 'merges', (list) => list.with(0, 'ab')), 'invalid_tokenizer', 'holds "ab"'],
  ['a merge of unknown tokens', changed(byteLevel, 'merges', (list) => list.with(0, 'ab zz')), 'invalid_tokenizer', 'holds "ab zz"'],
  [
    'a role beyond the vocabulary',
    { ...byteLevel.metadata, 'tokenizer.ggml.eos_token_id': 9999 },
    'invalid_tokenizer',
    'is 9999; there are',
  ],
  [
    'a text that is a number',
    { ...byteLevel.metadata, 'tokenizer.chat_template': 1 },
    'invalid_tokenizer',
    '`tokenizer.chat_template` has the value',
  ],
  ['no scores', changed(sentencePiece, 'scores', () => []), 'invalid_tokenizer', 'has 0 entries'],
  [
    'two tokens of one score',
    changed(sentencePiece, 'scores', (list) => list.with(260, list[259])),
    'invalid_tokenizer',
    'which is joined first',
  ],
])('%s is refused by name', (_name, entries, code, message) => {
  expect(() => files(entries)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});
