import type { Example } from '@tunefleet/models';
import type { TextTokenizer } from '@tunefleet/tokenization';
import { END_OF_TEXT } from '../tokenizer/files.js';
import type { Document } from './sources.js';

/** The document as one text, ended by the end-of-text token. */
export const textOf = (document: Document, tokenizer: TextTokenizer): string =>
  ('text' in document ? document.text : tokenizer.chatTemplate.render(document.turns)) + END_OF_TEXT;

/** Examples of pretraining: every token is predicted from those before it. A long document is cut into pieces of `maxTokens`. */
export async function pretrainingExamples(documents: readonly Document[], tokenizer: TextTokenizer, maxTokens: number): Promise<Example[]> {
  const encoded = await tokenizer.encodeBatch(documents.map((document) => textOf(document, tokenizer)));
  return encoded.flatMap(({ ids }) => {
    const examples: Example[] = [];
    for (let start = 0; start < ids.length - 1; start += maxTokens) {
      const part = Int32Array.from(ids.slice(start, start + maxTokens));
      const weights = new Float32Array(part.length).fill(1);
      weights[0] = 0;
      if (part.length > 1) examples.push({ ids: part, weights });
    }
    return examples;
  });
}
