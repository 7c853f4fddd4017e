import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { openGenerator } from '../src/generation/generator.js';

const SHARED = process.env['TUNEFLEET_SHARED'] ?? join(import.meta.dirname, '../../../../shared');
const STORIES = join(SHARED, 'data/models/stories260K-hf');

/** Ids to text by the vocabulary of a SentencePiece-like tokenizer.json. */
async function decoderOf(folder: string): Promise<(ids: readonly number[]) => string> {
  const { model } = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8')) as { model: { vocab: Record<string, number> } };
  const pieces = new Map(Object.entries(model.vocab).map(([piece, id]) => [id, piece]));
  return (ids) => ids.map((id) => pieces.get(id)!.replaceAll('\u2581', ' ')).join('');
}

skipUnless(existsSync(STORIES), 'TUNEFLEET_SHARED: data/models/stories260K-hf is not there')(
  'the trained story model tells the story that its catalogue names',
  async () => {
    const generator = await openGenerator({ base: STORIES });
    const { model } = JSON.parse(await readFile(join(STORIES, 'tokenizer.json'), 'utf8')) as { model: { vocab: Record<string, number> } };
    const prompt = [1, ...longestPieces('\u2581Once\u2581upon\u2581a\u2581time', model.vocab)];
    const ids: number[] = [];
    const settings = { max_tokens: 60, temperature: 0, top_p: 1, seed: 0, stop_ids: generator.config.eosTokenIds };
    for await (const id of generator.generate({ ids: prompt, ...settings })) ids.push(id);
    const decode = await decoderOf(STORIES);
    expect(decode(ids)).toContain(', there was a little girl named Lily. She loved to play outside in the park.');
    await generator.close();
  },
);

/** Greedy by length: for this one prompt the same pieces as the tokenizer's merges. */
function longestPieces(text: string, vocabulary: Record<string, number>): number[] {
  const ids: number[] = [];
  for (let at = 0; at < text.length; ) {
    let end = text.length;
    while (vocabulary[text.slice(at, end)] === undefined) end--;
    ids.push(vocabulary[text.slice(at, end)]!);
    at = end;
  }
  return ids;
}
