import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import { readTokenizerFiles } from './files.js';

/**
 * Adds tokens to the tokenizer.json of a folder as transformers' `add_tokens` does: whole texts, not special, with the next free ids; those that it has
 * already stay as they are. The file is replaced at once. Returns the rows that an embedding needs for all tokens.
 */
export async function addTokensTo(folder: string, tokens: readonly string[]): Promise<number> {
  const native = Tokenizer.fromString((await readTokenizerFiles(folder)).tokenizer);
  native.addTokens([...tokens]);
  const draft = join(folder, `tokenizer.json.${randomBytes(6).toString('hex')}`);
  native.save(draft, true);
  await rename(draft, join(folder, 'tokenizer.json'));
  const ids = tokens.map((token) => native.tokenToId(token) ?? 0);
  return Math.max(native.getVocabSize(true), ...ids.map((id) => id + 1));
}
