import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { TextTokenizer } from '@tunefleet/tokenization';
import { tokenizerJson } from '../src/tokenizer/files.js';
import { piecesOf } from '../src/tokenizer/pieces.js';
import { trainBpe } from '../src/tokenizer/train-bpe.js';

/** Made by fixtures/make.py with Hugging Face's tokenizers. */
interface Fixture {
  texts: string[];
  special: string[];
  size: number;
  pieces: string[][];
  tokens: string[];
  merges: [string, string][];
  ids: number[][];
}

const fixture = JSON.parse(await readFile(new URL('fixtures/bpe.json', import.meta.url), 'utf8')) as Fixture;
const vocabulary = trainBpe(fixture.texts, fixture.size, fixture.special);

test('texts are cut into the pieces that the tokenizers library cuts them into', () => {
  const bytes = fixture.pieces.map((_, index) => piecesOf(fixture.texts[index]!));
  expect(bytes.map((pieces) => pieces.length)).toEqual(fixture.pieces.map((pieces) => pieces.length));
  expect(bytes.map((pieces) => pieces.join(''))).toEqual(fixture.texts.slice(0, fixture.pieces.length));
});

test("merges and ids are those of the tokenizers library's own trainer", () => {
  expect(vocabulary.merges).toEqual(fixture.merges);
  expect(vocabulary.tokens).toEqual(fixture.tokens);
});

test('training stops at the size asked for', () => {
  const small = trainBpe(fixture.texts, 300, fixture.special);
  expect(small.tokens).toEqual(fixture.tokens.slice(0, 300));
});

test('the written tokenizer.json encodes as the library does', async () => {
  const tokenizer = await TextTokenizer.from({ tokenizer: tokenizerJson(vocabulary) });
  const encoded = await tokenizer.encodeBatch(fixture.texts.slice(0, fixture.ids.length));
  expect(encoded.map(({ ids }) => ids)).toEqual(fixture.ids);
});
