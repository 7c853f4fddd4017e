import { ApiError, type ClassificationList } from '@tunefleet/contracts';
import type { ClassifierLease } from './models.js';
import { refuseSpecialTokens } from './prompt.js';

/** Tokens of one pass: texts are taken together up to so many, and others have their turn between two passes. */
const TOKENS = 2048;

/** The classes of texts, in their order. Errors: `special_token`, `context_length_exceeded`, both naming the text. */
export async function classify(
  { classifier, tokenizer, resolved }: ClassifierLease,
  input: string | string[],
): Promise<ClassificationList> {
  const texts = [input].flat();
  const param = (index: number): string => (typeof input === 'string' ? 'input' : `input[${index}]`);
  for (const [index, text] of texts.entries()) refuseSpecialTokens(tokenizer, text, param(index));
  const encoded = await tokenizer.encodeBatch(texts, { addSpecialTokens: true });
  for (const [index, { length }] of encoded.entries())
    if (length > classifier.maxTokens)
      throw new ApiError(
        'context_length_exceeded',
        `This model reads up to ${classifier.maxTokens} tokens and '${param(index)}' has ${length}. Shorten it.`,
        {
          param: param(index),
        },
      );
  const data: ClassificationList['data'] = [];
  for (const group of groups(encoded.map(({ ids }) => ids)))
    for (const probabilities of await classifier.classify(group)) data.push(answerOf(data.length, classifier.labels, probabilities));
  const tokens = encoded.reduce((sum, { length }) => sum + length, 0);
  return { object: 'list', model: resolved.id, data, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

function answerOf(index: number, labels: readonly string[], probabilities: Float32Array): ClassificationList['data'][number] {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const scores = Object.fromEntries(labels.map((label, at) => [label, probabilities[at]!]));
  return { index, label: labels[best]!, score: probabilities[best]!, scores };
}

/** Texts in order, cut into groups of at most `TOKENS` tokens; a longer one is a group of its own. */
function groups(texts: readonly number[][]): number[][][] {
  const all: number[][][] = [];
  let room = 0;
  for (const ids of texts) {
    if (all.length === 0 || ids.length > room) {
      all.push([]);
      room = TOKENS;
    }
    all.at(-1)!.push(ids);
    room -= ids.length;
  }
  return all;
}
