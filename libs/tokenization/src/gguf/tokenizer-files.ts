import type { TokenizerFiles } from '../tokenizer/files.js';
import { byteLevelTokenizer } from './byte-level.js';
import { sentencePieceTokenizer } from './sentence-piece.js';
import {
  entryOf,
  type GgufVocabulary,
  invalid,
  isFlag,
  isNumber,
  isText,
  type Metadata,
  readVocabulary,
  TOKEN_TYPE,
  unsupported,
} from './vocabulary.js';

/**
 * The tokenizer and chat template in the metadata of a GGUF file, as the files of a Hugging Face folder. Control tokens become special ones,
 * user-defined tokens are found in texts whole.
 * Errors: `invalid_tokenizer`; `not_supported` for another `tokenizer.ggml.model` or `pre`.
 */
export function ggufTokenizerFiles(metadata: Metadata): TokenizerFiles & { config: Record<string, unknown> } {
  const vocabulary = readVocabulary(metadata);
  // Null prototype: a token may be called __proto__.
  const ids = Object.assign(Object.create(null), Object.fromEntries(vocabulary.tokens.map((token, id) => [token, id]))) as Record<
    string,
    number
  >;
  const { parts, addBos } = tokenizerOf(metadata, vocabulary, ids);
  const roles = rolesOf(metadata, vocabulary);
  const before = (entryOf(metadata, 'tokenizer.ggml.add_bos_token', isFlag) ?? addBos) ? roles.bos : undefined;
  const behind = (entryOf(metadata, 'tokenizer.ggml.add_eos_token', isFlag) ?? false) ? roles.eos : undefined;
  const { normalizer, pre_tokenizer, decoder, model } = parts;
  const tokenizer = {
    ...{ version: '1.0', truncation: null, padding: null, added_tokens: addedTokens(vocabulary), normalizer, pre_tokenizer },
    post_processor: around(before, behind),
    ...{ decoder, model },
  };
  const config: Record<string, unknown> = { tokenizer_class: 'PreTrainedTokenizerFast', clean_up_tokenization_spaces: false };
  for (const [role, token] of Object.entries(roles)) config[`${role}_token`] = token.text;
  const chatTemplate = entryOf(metadata, 'tokenizer.chat_template', isText);
  return { tokenizer: JSON.stringify(tokenizer), config, ...(chatTemplate === undefined ? {} : { chatTemplate }) };
}

function tokenizerOf(metadata: Metadata, vocabulary: GgufVocabulary, ids: Readonly<Record<string, number>>) {
  const model = entryOf(metadata, 'tokenizer.ggml.model', isText);
  if (model === undefined) throw invalid('tokenizer.ggml.model', 'is missing');
  if (model === 'gpt2') return byteLevelTokenizer(metadata, ids);
  if (model === 'llama') return sentencePieceTokenizer(metadata, vocabulary, ids);
  throw unsupported('tokenizer.ggml.model', model);
}

interface Token {
  id: number;
  text: string;
}

/** By the role's name in tokenizer_config.json. */
function rolesOf(metadata: Metadata, { tokens }: GgufVocabulary): Partial<Record<'bos' | 'eos' | 'unk' | 'pad', Token>> {
  const roles: Partial<Record<'bos' | 'eos' | 'unk' | 'pad', Token>> = {};
  for (const [role, name] of [
    ['bos', 'bos'],
    ['eos', 'eos'],
    ['unk', 'unknown'],
    ['pad', 'padding'],
  ] as const) {
    const key = `tokenizer.ggml.${name}_token_id`;
    const id = entryOf(metadata, key, isNumber);
    if (id === undefined) continue;
    const text = tokens[id];
    if (text === undefined) throw invalid(key, `is ${id}; there are ${tokens.length} tokens`);
    roles[role] = { id, text };
  }
  return roles;
}

function addedTokens({ tokens, types }: GgufVocabulary): object[] {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return tokens.flatMap((content, id) => {
    const type = types[id];
    if (type !== TOKEN_TYPE.control && type !== TOKEN_TYPE.userDefined && type !== TOKEN_TYPE.unknown) return [];
    return [{ id, content, ...plain, special: type !== TOKEN_TYPE.userDefined }];
  });
}

/** What puts the beginning and end of text around a text; null where neither is asked for. */
function around(before: Token | undefined, behind: Token | undefined): object | null {
  const used = [before, behind].filter((token) => token !== undefined);
  if (used.length === 0) return null;
  const special = ({ text }: Token) => ({ SpecialToken: { id: text, type_id: 0 } });
  const wrapped = (id: 'A' | 'B') => [
    ...(before ? [special(before)] : []),
    { Sequence: { id, type_id: 0 } },
    ...(behind ? [special(behind)] : []),
  ];
  const tokens = Object.fromEntries(used.map(({ id, text }) => [text, { id: text, ids: [id], tokens: [text] }]));
  return { type: 'TemplateProcessing', single: wrapped('A'), pair: [...wrapped('A'), ...wrapped('B')], special_tokens: tokens };
}
