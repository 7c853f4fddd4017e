import type { LlamaConfig } from '@tunefleet/model-formats';
import { PIECE_PATTERN } from './pieces.js';
import type { Vocabulary } from './train-bpe.js';

export const END_OF_TEXT = '<|endoftext|>';
export const TURN_START = '<|im_start|>';
export const TURN_END = '<|im_end|>';
/** In the order of their ids, from 0. */
export const SPECIAL_TOKENS = [END_OF_TEXT, TURN_START, TURN_END] as const;

/** ChatML. The newline after a turn's end is not the assistant's, so nobody is trained on it. */
const CHAT_TEMPLATE = `{%- if tools %}{{ raise_exception('this model knows no tools') }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' or message.tool_calls %}{{ raise_exception('this model knows no tools') }}{% endif %}
{{- '${TURN_START}' + message.role + '\\n' + message.content + '${TURN_END}' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '${TURN_START}assistant\\n' }}{% endif %}`;

/** tokenizer.json as Hugging Face's tokenizers reads it. */
export function tokenizerJson({ tokens, merges }: Vocabulary): string {
  const added = SPECIAL_TOKENS.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const split = { type: 'Split', pattern: { Regex: PIECE_PATTERN }, behavior: 'Isolated', invert: false };
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  return `${JSON.stringify(json)}\n`;
}

export function tokenizerConfigJson(maxPositions: number): string {
  const json = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: maxPositions,
    bos_token: null,
    eos_token: TURN_END,
    pad_token: END_OF_TEXT,
    unk_token: null,
    clean_up_tokenization_spaces: false,
    chat_template: CHAT_TEMPLATE,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** Greedy unless asked otherwise, until the end of the turn or of the text. */
export const generationConfigJson = ({ eosTokenIds, padTokenId }: LlamaConfig): string =>
  `${JSON.stringify({ eos_token_id: eosTokenIds, pad_token_id: padTokenId, do_sample: false }, null, 2)}\n`;
