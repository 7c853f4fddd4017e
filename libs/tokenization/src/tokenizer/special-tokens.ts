import type { TokenizerFiles } from './files.js';

export interface SpecialToken {
  id: number;
  text: string;
}

/** The tokens with a role; null where the files name none or the vocabulary lacks it. */
export interface SpecialTokens {
  bos: SpecialToken | null;
  eos: SpecialToken | null;
  pad: SpecialToken | null;
  unk: SpecialToken | null;
}

export interface Vocabulary {
  tokenToId(token: string): number | null;
  idToToken(id: number): string | null;
}

/** From tokenizer_config.json, else special_tokens_map.json, else the ids in config.json (of several ends of text the first). */
export function readSpecialTokens(files: TokenizerFiles, vocabulary: Vocabulary): SpecialTokens {
  const find = (role: keyof SpecialTokens): SpecialToken | null => {
    const text = tokenText(files.config?.[`${role}_token`]) ?? tokenText(files.specialTokensMap?.[`${role}_token`]);
    const named = text === undefined ? null : vocabulary.tokenToId(text);
    if (text !== undefined && named !== null) return { id: named, text };
    const given = files.modelConfig?.[`${role}_token_id`];
    const id: unknown = Array.isArray(given) ? given[0] : given;
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0) return null;
    const token = vocabulary.idToToken(id);
    return token === null ? null : { id, text: token };
  };
  return { bos: find('bos'), eos: find('eos'), pad: find('pad'), unk: find('unk') };
}

/** A token is written as its text or as an AddedToken object. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}

/** Texts of the added tokens of tokenizer.json that are special: the ones no user's text may hold. */
export function addedSpecialTexts(tokenizerJson: unknown): string[] {
  const added = (tokenizerJson as { added_tokens?: unknown } | null)?.added_tokens;
  if (!Array.isArray(added)) return [];
  return added.flatMap((token: { content?: unknown; special?: unknown }) =>
    token?.special === true && typeof token.content === 'string' && token.content !== '' ? [token.content] : [],
  );
}
