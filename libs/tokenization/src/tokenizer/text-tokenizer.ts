import { type JsEncoding, Tokenizer } from 'tokenizers';
import { TokenizationError } from '../errors.js';
import type { Span } from '../template/assistant-spans.js';
import type { ChatTemplate } from '../template/chat-template.js';
import { chooseTemplate } from '../template/choose.js';
import { spanOfTokens } from '../trained-tokens.js';
import { readTokenizerFiles, type TokenizerFiles } from './files.js';
import { utf16Offsets } from './offsets.js';
import { addedSpecialTexts, readSpecialTokens, type SpecialTokens } from './special-tokens.js';
import { TextStream } from './text-stream.js';

export interface Encoded {
  ids: number[];
  /** Of each token the part of the text it stands for, [start, end) in UTF-16 units; bytes of one character share its offsets. */
  offsets: [number, number][];
  /** Tokens of the whole text, those beyond `maxTokens` included. */
  length: number;
}

export interface EncodeOptions {
  /** Whether the tokenizer's own special tokens (its beginning of text) are put around the text. Default false. */
  addSpecialTokens?: boolean;
  /** Only so many tokens are given, from the first; copying millions out of the library takes seconds. */
  maxTokens?: number;
}

/** A tokenizer of a model with its chat template. Padding and truncation that its file asks for are never applied. */
export class TextTokenizer {
  readonly specialTokens: SpecialTokens;
  /** The model's template, or the default one (`isDefault`). */
  readonly chatTemplate: ChatTemplate;
  private readonly specialPattern: RegExp | null;
  private readonly specialIds: ReadonlySet<number>;

  private constructor(
    private readonly native: Tokenizer,
    /** Ids that the tokenizer puts in front of every text (its beginning of text), empty for many. */
    readonly prefixIds: readonly number[],
    /** Ids that it puts behind every text (BERT's [SEP]), empty for many. */
    readonly suffixIds: readonly number[],
    files: TokenizerFiles,
    specialTexts: readonly string[],
  ) {
    this.specialTokens = readSpecialTokens(files, native);
    this.chatTemplate = chooseTemplate(files, this.specialTokens, specialTexts);
    this.specialIds = new Set(specialTexts.map((text) => native.tokenToId(text) ?? -1));
    this.specialPattern = specialTexts.length > 0 ? new RegExp(alternatives(specialTexts), 'g') : null;
  }

  /**
   * From a Hugging Face folder. `addedTokens`: further ones, as `addTokensTo` adds them. Errors: `invalid_tokenizer`; `template_error` for a template
   * that does not parse.
   */
  static async load(folder: string, addedTokens: readonly string[] = []): Promise<TextTokenizer> {
    return TextTokenizer.from(await readTokenizerFiles(folder), addedTokens);
  }

  static async from(files: TokenizerFiles, addedTokens: readonly string[] = []): Promise<TextTokenizer> {
    let native: Tokenizer;
    let parsed: unknown;
    try {
      parsed = JSON.parse(files.tokenizer);
      native = Tokenizer.fromString(files.tokenizer);
    } catch (cause) {
      throw new TokenizationError('invalid_tokenizer', `tokenizer.json cannot be loaded: ${(cause as Error).message}`, { cause });
    }
    if (addedTokens.length > 0) native.addTokens([...addedTokens]);
    native.disablePadding();
    native.disableTruncation();
    const { before, after } = await surroundingIds(native);
    return new TextTokenizer(native, before, after, files, addedSpecialTexts(parsed));
  }

  /** Number of tokens, added ones included; ids are below it unless the vocabulary has holes. */
  get vocabularySize(): number {
    return this.native.getVocabSize(true);
  }

  async encode(text: string, options: EncodeOptions = {}): Promise<Encoded> {
    return encoded(text, await this.native.encode(text, null, native(options)), options);
  }

  /** Like {@link encode}, on all cores. */
  async encodeBatch(texts: readonly string[], options: EncodeOptions = {}): Promise<Encoded[]> {
    if (texts.length === 0) return [];
    const encodings = await this.native.encodeBatch([...texts], native(options));
    return encodings.map((encoding, index) => encoded(texts[index]!, encoding, options));
  }

  decode(ids: readonly number[], options: { skipSpecialTokens?: boolean } = {}): Promise<string> {
    return this.native.decode([...ids], options.skipSpecialTokens ?? true);
  }

  /** Text of tokens as they come. `context`: the tokens of the prompt. */
  stream(options: { skipSpecialTokens?: boolean; context?: readonly number[] } = {}): TextStream {
    return new TextStream((ids) => this.decode(ids, options), options.context);
  }

  tokenToId(token: string): number | null {
    return this.native.tokenToId(token);
  }

  /** The token as the vocabulary writes it (`Ġthe`, `▁the`), null for an id it lacks. */
  idToToken(id: number): string | null {
    return this.native.idToToken(id);
  }

  isSpecial(id: number): boolean {
    return this.specialIds.has(id);
  }

  /**
   * Of each token of a rendered conversation the index of the assistant's message that it belongs to, or -1 (see `ChatTemplate.renderWithSpans`).
   */
  spanOfTokens(encoded: Encoded, spans: readonly Span[]): Int32Array {
    return spanOfTokens(encoded, spans, (id) => this.isSpecial(id));
  }

  /** The first special token that a user's text would be turned into, with its UTF-16 offset; such a text is refused. */
  findSpecialToken(text: string): { token: string; offset: number } | null {
    if (!this.specialPattern) return null;
    this.specialPattern.lastIndex = 0;
    const match = this.specialPattern.exec(text);
    return match ? { token: match[0], offset: match.index } : null;
  }
}

function native({ addSpecialTokens = false }: EncodeOptions) {
  return { addSpecialTokens };
}

function encoded(text: string, encoding: JsEncoding, { maxTokens = Number.POSITIVE_INFINITY }: EncodeOptions): Encoded {
  const length = encoding.getLength();
  if (length > maxTokens) encoding.truncate(maxTokens, 0, 'right');
  return { length, ids: encoding.getIds(), offsets: utf16Offsets(text, encoding.getOffsets()) };
}

/** What the post-processor puts around a text. */
async function surroundingIds(tokenizer: Tokenizer): Promise<{ before: number[]; after: number[] }> {
  const encoding = await tokenizer.encode('a', null, { addSpecialTokens: true });
  const special = encoding.getSpecialTokensMask();
  const ids = encoding.getIds();
  const first = special.indexOf(0);
  return first === -1 ? { before: [], after: [] } : { before: ids.slice(0, first), after: ids.slice(special.lastIndexOf(0) + 1) };
}

/** The longest first, so that a token is not taken for one that it begins with. */
function alternatives(texts: readonly string[]): string {
  return [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'))
    .join('|');
}
