import { Type } from 'typebox';
import { nullable, strict } from './strict.js';

const Text = Type.Union([Type.String(), Type.Array(strict({ type: Type.Enum(['text']), text: Type.String() }), { minItems: 1 })]);
const ToolCall = strict({
  id: Type.String(),
  type: Type.Literal('function'),
  function: strict({ name: Type.String(), arguments: Type.String() }),
});

export const ChatMessage = strict({
  role: Type.Enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: Type.Optional(nullable(Text)),
  name: Type.Optional(Type.String()),
  tool_calls: Type.Optional(Type.Array(ToolCall)),
  tool_call_id: Type.Optional(Type.String()),
  refusal: Type.Optional(nullable(Type.String())),
});
export type ChatMessage = Type.Static<typeof ChatMessage>;

const StreamOptions = strict({ include_usage: Type.Optional(Type.Boolean()), include_obfuscation: Type.Optional(Type.Boolean()) });
const Stop = Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { maxItems: 4 })]);

/** Read by both routes. */
const sampling = {
  model: Type.String({ minLength: 1, maxLength: 512 }),
  temperature: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 2 }))),
  top_p: Type.Optional(nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1 }))),
  seed: Type.Optional(nullable(Type.Integer({ minimum: -(2 ** 53) + 1, maximum: 2 ** 53 - 1 }))),
  stop: Type.Optional(nullable(Stop)),
  stream: Type.Optional(nullable(Type.Boolean())),
  stream_options: Type.Optional(nullable(StreamOptions)),
  max_tokens: Type.Optional(nullable(Type.Integer({ minimum: 1 }))),
};

/** Fields without effect here: they describe the caller or OpenAI's own service. */
export const CHAT_ACCEPTED = [
  'user',
  'safety_identifier',
  'metadata',
  'prompt_cache_key',
  'prompt_cache_retention',
  'prompt_cache_options',
  'service_tier',
  'parallel_tool_calls',
] as const;
/** Known, not built: refused by name unless the value is null or the one that changes nothing. */
export const CHAT_REFUSED = {
  n: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
  logprobs: false,
  top_logprobs: 0,
  store: false,
  logit_bias: null,
  modalities: ['text'],
  verbosity: null,
  reasoning_effort: null,
  web_search_options: null,
  response_format: { type: 'text' },
  audio: null,
  moderation: null,
  prediction: null,
  tool_choice: 'none',
  function_call: null,
  functions: null,
} as const;

const known = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, Type.Optional(Type.Unknown())]));

export const CreateChatCompletionBody = strict({
  ...known(CHAT_ACCEPTED),
  ...known(Object.keys(CHAT_REFUSED)),
  ...sampling,
  messages: Type.Array(ChatMessage, { minItems: 1, maxItems: 2048 }),
  max_completion_tokens: Type.Optional(nullable(Type.Integer({ minimum: 1 }))),
  tools: Type.Optional(nullable(Type.Array(Type.Unknown(), { maxItems: 128 }))),
});
export type CreateChatCompletionBody = Type.Static<typeof CreateChatCompletionBody>;

export const COMPLETION_ACCEPTED = ['user'] as const;
export const COMPLETION_REFUSED = {
  n: 1,
  best_of: 1,
  echo: false,
  frequency_penalty: 0,
  presence_penalty: 0,
  logit_bias: null,
  logprobs: null,
  suffix: null,
} as const;

export const CreateCompletionBody = strict({
  ...known(COMPLETION_ACCEPTED),
  ...known(Object.keys(COMPLETION_REFUSED)),
  ...sampling,
  prompt: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 1 })]),
});
export type CreateCompletionBody = Type.Static<typeof CreateCompletionBody>;
