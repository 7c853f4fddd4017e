import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TokenizationError } from '../errors.js';

/** What a Hugging Face folder says about its tokenizer. */
export interface TokenizerFiles {
  /** Text of tokenizer.json. */
  tokenizer: string;
  /** tokenizer_config.json. */
  config?: Record<string, unknown>;
  /** special_tokens_map.json, for what the config leaves out. */
  specialTokensMap?: Record<string, unknown>;
  /** config.json of the model: ids of its special tokens, for what neither of the others says. */
  modelConfig?: Record<string, unknown>;
  /** chat_template.jinja; wins over the config's. */
  chatTemplate?: string;
}

/** Bytes of the largest tokenizer.json read (a vocabulary of 260,000 is about 35 MB). */
const MAX_TOKENIZER_BYTES = 128 * 1024 * 1024;
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** Reads the files of a folder. Errors: `invalid_tokenizer`. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const tokenizer = await readText(folder, 'tokenizer.json', MAX_TOKENIZER_BYTES);
  if (tokenizer === undefined) throw new TokenizationError('invalid_tokenizer', 'the folder has no tokenizer.json');
  const files: TokenizerFiles = { tokenizer };
  const config = await readObject(folder, 'tokenizer_config.json');
  if (config) files.config = config;
  const map = await readObject(folder, 'special_tokens_map.json');
  if (map) files.specialTokensMap = map;
  const model = await readObject(folder, 'config.json');
  if (model) files.modelConfig = model;
  const template = await readText(folder, 'chat_template.jinja', MAX_CONFIG_BYTES);
  if (template !== undefined) files.chatTemplate = template;
  return files;
}

async function readText(folder: string, name: string, maxBytes: number): Promise<string | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(folder, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
  if (bytes.length > maxBytes)
    throw new TokenizationError('invalid_tokenizer', `${name} has ${bytes.length} bytes; ${maxBytes} are allowed`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TokenizationError('invalid_tokenizer', `${name} is not UTF-8`, { cause });
  }
}

async function readObject(folder: string, name: string): Promise<Record<string, unknown> | undefined> {
  const text = await readText(folder, name, MAX_CONFIG_BYTES);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizationError('invalid_tokenizer', `${name} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TokenizationError('invalid_tokenizer', `${name} must hold an object`);
}
