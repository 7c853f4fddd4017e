import { Type } from 'typebox';
import { nullable } from './strict.js';

export const Usage = Type.Object({ prompt_tokens: Type.Integer(), completion_tokens: Type.Integer(), total_tokens: Type.Integer() });
export type Usage = Type.Static<typeof Usage>;

const FinishReason = Type.Enum(['stop', 'length']);

export const ChatCompletionObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('chat.completion'),
  created: Type.Integer(),
  model: Type.String(),
  system_fingerprint: Type.String(),
  choices: Type.Array(
    Type.Object({
      index: Type.Integer(),
      finish_reason: FinishReason,
      logprobs: Type.Null(),
      message: Type.Object({ role: Type.Literal('assistant'), content: nullable(Type.String()), refusal: Type.Null() }),
    }),
  ),
  usage: Usage,
});
export type ChatCompletionObject = Type.Static<typeof ChatCompletionObject>;

export const CompletionObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('text_completion'),
  created: Type.Integer(),
  model: Type.String(),
  system_fingerprint: Type.String(),
  choices: Type.Array(Type.Object({ index: Type.Integer(), finish_reason: FinishReason, logprobs: Type.Null(), text: Type.String() })),
  usage: Usage,
});
export type CompletionObject = Type.Static<typeof CompletionObject>;
