import { entryOf, invalid, isText, listOf, type Metadata, unsupported } from './vocabulary.js';

// How text is cut before byte-level BPE joins bytes, by `tokenizer.ggml.pre`: the expressions of llama.cpp (src/llama-vocab.cpp,
// llm_tokenizer_bpe), which are those of the models' own tokenizer.json.
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LLAMA3 = `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const QWEN2 = LLAMA3.replace('\\p{N}{1,3}', '\\p{N}');
const DEFAULT = [
  '[\\p{P}\\$\\+<=>\\^~\\|]+',
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
  '\\p{N}+',
  '[0-9][0-9][0-9]',
];

interface Cut {
  /** Steps before the bytes are turned into letters. */
  steps: readonly object[];
  /** Whether ByteLevel cuts by GPT-2's own expression too. */
  gpt2: boolean;
  /** A piece that is a token of its own is not put together by merges. */
  wholeTokens?: boolean;
  /** Whether a text begins with the beginning-of-text token where the file does not say. */
  addBos?: boolean;
  normalizer?: object;
}

const split = (regex: string): object => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false });
const digitsApart = { type: 'Digits', individual_digits: true };

const CUTS: Readonly<Record<string, Cut>> = {
  default: { steps: DEFAULT.map(split), gpt2: false },
  'gpt-2': { steps: [], gpt2: true },
  smollm: { steps: [digitsApart], gpt2: true },
  starcoder: { steps: [digitsApart], gpt2: true },
  refact: { steps: [digitsApart], gpt2: true },
  'llama-bpe': { steps: [split(LLAMA3)], gpt2: false, wholeTokens: true, addBos: true },
  qwen2: { steps: [split(QWEN2)], gpt2: false, normalizer: { type: 'NFC' } },
};

/** Parts of a tokenizer.json for `tokenizer.ggml.model` = gpt2. Errors: `invalid_tokenizer`; `not_supported` for a `pre` that is not known. */
export function byteLevelTokenizer(metadata: Metadata, vocabulary: Readonly<Record<string, number>>) {
  const pre = entryOf(metadata, 'tokenizer.ggml.pre', isText) ?? 'default';
  const cut = Object.hasOwn(CUTS, pre) ? CUTS[pre] : undefined;
  if (!cut) throw unsupported('tokenizer.ggml.pre', `${pre} (known: ${Object.keys(CUTS).join(', ')})`);
  const merges = listOf(metadata, 'tokenizer.ggml.merges', isText);
  if (!merges) throw invalid('tokenizer.ggml.merges', 'is missing');
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: cut.gpt2 };
  return {
    addBos: cut.addBos ?? false,
    parts: {
      normalizer: cut.normalizer ?? null,
      pre_tokenizer: cut.steps.length === 0 ? bytes : { type: 'Sequence', pretokenizers: [...cut.steps, bytes] },
      decoder: { ...bytes, use_regex: true },
      model: {
        ...{ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
        ...{ fuse_unk: false, byte_fallback: false, ignore_merges: cut.wholeTokens ?? false },
        vocab: vocabulary,
        merges: merges.map((merge) => pairOf(merge, vocabulary)),
      },
    },
  };
}

/** `Ġt he` -> both halves; the first may itself begin with a space. */
function pairOf(merge: string, vocabulary: Readonly<Record<string, number>>): [string, string] {
  const at = merge.indexOf(' ', 1);
  const pair: [string, string] = [merge.slice(0, at), merge.slice(at + 1)];
  const known = [...pair, pair.join('')].every((token) => Object.hasOwn(vocabulary, token));
  if (at > 0 && known) return pair;
  throw invalid('tokenizer.ggml.merges', `holds ${JSON.stringify(merge)}, which does not join two tokens into a third`);
}
