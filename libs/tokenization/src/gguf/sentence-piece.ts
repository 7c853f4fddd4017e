import { entryOf, type GgufVocabulary, invalid, isFlag, isNumber, listOf, type Metadata, TOKEN_TYPE } from './vocabulary.js';

/** What SentencePiece writes for a space. */
const SPACE = '\u2581';

/**
 * Parts of a tokenizer.json for `tokenizer.ggml.model` = llama: a SentencePiece BPE vocabulary with scores. SentencePiece joins the pair whose token
 * scores highest, BPE the pair that stands first among the merges: so the merges are the ways to join two tokens into one, by falling score.
 * Errors: `invalid_tokenizer`, also where the order of the merges does not follow from the scores (two tokens of one score).
 */
export function sentencePieceTokenizer(
  metadata: Metadata,
  { tokens, types }: GgufVocabulary,
  vocabulary: Readonly<Record<string, number>>,
) {
  const scores = listOf(metadata, 'tokenizer.ggml.scores', isNumber);
  if (scores?.length !== tokens.length)
    throw invalid('tokenizer.ggml.scores', `has ${scores?.length ?? 0} entries for ${tokens.length} tokens`);
  const addSpace = entryOf(metadata, 'tokenizer.ggml.add_space_prefix', isFlag) ?? true;
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  const plain = {
    type: 'Sequence',
    decoders: [{ type: 'Replace', pattern: { String: SPACE }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }],
  };
  const unknown = tokens[types.indexOf(TOKEN_TYPE.unknown)] ?? null;
  return {
    addBos: true,
    parts: {
      normalizer: addSpace ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE }, spaces] } : spaces,
      pre_tokenizer: null,
      decoder: addSpace ? { ...plain, decoders: [...plain.decoders, { type: 'Strip', content: ' ', start: 1, stop: 0 }] } : plain,
      model: {
        ...{ type: 'BPE', dropout: null, unk_token: unknown, continuing_subword_prefix: null, end_of_word_suffix: null },
        ...{ fuse_unk: true, byte_fallback: true, ignore_merges: false },
        vocab: vocabulary,
        merges: mergesOf(tokens, types, scores, vocabulary),
      },
    },
  };
}

function mergesOf(
  tokens: readonly string[],
  types: readonly number[],
  scores: readonly number[],
  vocabulary: Readonly<Record<string, number>>,
): [string, string][] {
  const joinable = (id: number): boolean => types[id] === TOKEN_TYPE.normal || types[id] === TOKEN_TYPE.userDefined;
  const found: { score: number; pair: [string, string]; left: number; right: number }[] = [];
  const scored = new Map<number, string>();
  for (const [id, token] of tokens.entries()) {
    if (types[id] !== TOKEN_TYPE.normal) continue;
    const pairs = waysToJoin(token).filter(([left, right]) => [left, right].every((half) => joinable(vocabulary[half] ?? -1)));
    if (pairs.length === 0) continue;
    const score = scores[id]!;
    const rival = scored.get(score);
    if (rival !== undefined) {
      throw invalid(
        'tokenizer.ggml.scores',
        `are the same for ${JSON.stringify(rival)} and ${JSON.stringify(token)}: which is joined first cannot be told`,
      );
    }
    scored.set(score, token);
    for (const pair of pairs) found.push({ score, pair, left: vocabulary[pair[0]]!, right: vocabulary[pair[1]]! });
  }
  return found.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right).map(({ pair }) => pair);
}

/** Each cut of a token between two characters. */
function waysToJoin(token: string): [string, string][] {
  const characters = [...token];
  return characters.slice(1).map((_, cut) => [characters.slice(0, cut + 1).join(''), characters.slice(cut + 1).join('')]);
}
