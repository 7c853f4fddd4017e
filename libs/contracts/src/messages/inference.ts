import { Type } from 'typebox';
import { Id, Nullable, Project } from './common.js';

export const inferenceRpc = {
  /** One answer, whole. `messages` for chat, `prompt` for completion; exactly one of them. */
  'inference.complete': {
    request: Type.Object({
      project: Project,
      model: Id,
      messages: Nullable(Type.Array(Type.Unknown())),
      prompt: Nullable(Type.String()),
      max_tokens: Nullable(Type.Integer()),
      temperature: Type.Number(),
      top_p: Type.Number(),
      seed: Nullable(Type.Integer()),
      stop: Type.Array(Type.String()),
    }),
    reply: Type.Object({
      text: Type.String(),
      finish_reason: Type.Union([Type.Literal('stop'), Type.Literal('length')]),
      model: Id,
      weights_sha256: Type.String(),
      prompt_tokens: Type.Integer(),
      completion_tokens: Type.Integer(),
    }),
  },
} as const;
