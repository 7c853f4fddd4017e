// Byte-pair encoding (Sennrich et al., "Neural machine translation of rare words with subword units"), giving the merges that
// BpeTrainer of Hugging Face's tokenizers gives: the most frequent pair first, of equally frequent ones that of the lower ids.

import { BYTE_CHARACTERS, byteLevel, piecesOf } from './pieces.js';

export interface Vocabulary {
  /** tokens by id: special ones, the 256 bytes, then one a merge */
  tokens: string[];
  /** in the order they were learned, and are applied */
  merges: [left: string, right: string][];
}

interface Word {
  ids: number[];
  count: number;
}

/** No id reaches this, so a pair of ids is one exact integer. */
const PAIR_BASE = 2 ** 24;

/**
 * @param size tokens in all
 * @returns fewer tokens than `size` only if no pair is left that occurs at least twice
 */
export function trainBpe(texts: Iterable<string>, size: number, special: readonly string[]): Vocabulary {
  const alphabet = [...BYTE_CHARACTERS].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
  const tokens = [...special, ...alphabet];
  const merges: Vocabulary['merges'] = [];
  const words = countWords(texts, new Map(alphabet.map((character, index) => [character, special.length + index])));
  const pairs = new PairCounts(words);
  while (tokens.length < size) {
    const pair = pairs.mostFrequent();
    if (pair === null) break;
    const [left, right] = [Math.floor(pair / PAIR_BASE), pair % PAIR_BASE];
    merges.push([tokens[left]!, tokens[right]!]);
    pairs.merge(pair, tokens.length);
    tokens.push(tokens[left]! + tokens[right]!);
  }
  return { tokens, merges };
}

function countWords(texts: Iterable<string>, idOf: ReadonlyMap<string, number>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) for (const piece of piecesOf(text)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  return [...counts].map(([piece, count]) => ({ ids: Array.from(byteLevel(piece), (character) => idOf.get(character)!), count }));
}

/** How often each pair of neighbours occurs, and in which words. */
class PairCounts {
  readonly #words: Word[];
  readonly #counts = new Map<number, number>();
  readonly #wordsOf = new Map<number, Set<number>>();

  constructor(words: Word[]) {
    this.#words = words;
    for (const index of words.keys()) this.#add(index, 1);
  }

  mostFrequent(): number | null {
    let best = -1;
    let most = 1;
    for (const [pair, count] of this.#counts) {
      if (count > most || (count === most && best >= 0 && pair < best)) {
        best = pair;
        most = count;
      }
    }
    return best < 0 ? null : best;
  }

  merge(pair: number, id: number): void {
    for (const index of this.#wordsOf.get(pair) ?? []) {
      this.#add(index, -1);
      const word = this.#words[index]!;
      word.ids = replacePair(word.ids, pair, id);
      this.#add(index, 1);
    }
    this.#counts.delete(pair);
    this.#wordsOf.delete(pair);
  }

  /** Adds (`sign` 1) or takes away (-1) a word's pairs. */
  #add(index: number, sign: 1 | -1): void {
    const { ids, count } = this.#words[index]!;
    for (let i = 1; i < ids.length; i++) {
      const pair = ids[i - 1]! * PAIR_BASE + ids[i]!;
      this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + sign * count);
      if (sign < 0) continue;
      const words = this.#wordsOf.get(pair);
      if (words) words.add(index);
      else this.#wordsOf.set(pair, new Set([index]));
    }
  }
}

/** From left to right, without overlap. */
function replacePair(ids: readonly number[], pair: number, id: number): number[] {
  const replaced: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (i + 1 < ids.length && ids[i]! * PAIR_BASE + ids[i + 1]! === pair) {
      replaced.push(id);
      i++;
    } else {
      replaced.push(ids[i]!);
    }
  }
  return replaced;
}
