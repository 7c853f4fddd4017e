import { TokenizationError } from '../errors.js';

/** Metadata of a GGUF file as `@tunefleet/model-formats` reads it. */
export type Metadata = ReadonlyMap<string, unknown>;

/** What a token is (llama.h, llama_token_type). */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface GgufVocabulary {
  /** By id. */
  tokens: readonly string[];
  types: readonly number[];
}

/** The vocabulary, checked: every token once, a type for each. Errors: `invalid_tokenizer`. */
export function readVocabulary(metadata: Metadata): GgufVocabulary {
  const tokens = listOf(metadata, 'tokenizer.ggml.tokens', isText);
  if (tokens === undefined || tokens.length === 0) throw invalid('tokenizer.ggml.tokens', 'is missing');
  const types = listOf(metadata, 'tokenizer.ggml.token_type', isNumber) ?? tokens.map(() => TOKEN_TYPE.normal);
  if (types.length !== tokens.length) throw invalid('tokenizer.ggml.token_type', `has ${types.length} entries for ${tokens.length} tokens`);
  const seen = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const first = seen.get(token);
    if (first !== undefined) throw invalid('tokenizer.ggml.tokens', `tokens ${first} and ${id} are both ${JSON.stringify(token)}`);
    seen.set(token, id);
  }
  return { tokens, types };
}

/** An entry that is a list of one kind of value; undefined where there is none. */
export function listOf<T>(metadata: Metadata, key: string, is: (value: unknown) => value is T): T[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every(is)) return value;
  throw invalid(key, 'is not a list of the expected kind');
}

export function entryOf<T>(metadata: Metadata, key: string, is: (value: unknown) => value is T): T | undefined {
  const value = metadata.get(key);
  if (value === undefined || is(value)) return value;
  throw invalid(key, `has the value ${JSON.stringify(String(value))}, of another kind than expected`);
}

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isNumber = (value: unknown): value is number => typeof value === 'number';
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

export function invalid(key: string, what: string): TokenizationError {
  return new TokenizationError('invalid_tokenizer', `metadata \`${key}\` ${what}`);
}

export function unsupported(key: string, value: string): TokenizationError {
  return new TokenizationError('not_supported', `metadata \`${key}\` = ${value} is not supported`);
}
