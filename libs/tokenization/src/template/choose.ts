import type { TokenizerFiles } from '../tokenizer/files.js';
import type { SpecialTokens } from '../tokenizer/special-tokens.js';
import { ChatTemplate } from './chat-template.js';

/**
 * For a tokenizer that brings no template: plain text, so that any vocabulary can write it, with the end of text as the end of a turn.
 *
 *     <bos>User:
 *     What is it?
 *     Assistant:
 *     A cat.<eos>
 */
export const DEFAULT_TEMPLATE = `{{- bos_token or '' }}
{%- if tools %}{{ raise_exception('the default chat template has no tools; give the base model a chat template') }}{% endif %}
{%- if not eos_token %}{{ raise_exception('the default chat template needs an end-of-text token; the tokenizer names none') }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'system' %}{{- 'System:\\n' + message.content + '\\n' }}
{%- elif message.role == 'user' %}{{- 'User:\\n' + message.content + '\\n' }}
{%- elif message.role == 'assistant' and not message.tool_calls %}{{- 'Assistant:\\n' + message.content + eos_token + '\\n' }}
{%- else %}{{ raise_exception('the default chat template has no tools; give the base model a chat template') }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'Assistant:\\n' }}{% endif %}`;

/** chat_template.jinja, else the `chat_template` of tokenizer_config.json (of several named ones `default`), else {@link DEFAULT_TEMPLATE}. */
export function chooseTemplate(files: TokenizerFiles, tokens: SpecialTokens, specialTexts: readonly string[]): ChatTemplate {
  const own = files.chatTemplate ?? fromConfig(files.config?.['chat_template']);
  return new ChatTemplate(own ?? DEFAULT_TEMPLATE, { tokens, specialTexts, isDefault: own === undefined });
}

function fromConfig(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as { name?: unknown; template?: unknown }[];
  const chosen = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
