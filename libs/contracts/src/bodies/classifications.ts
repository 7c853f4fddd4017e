import { Type } from 'typebox';
import { strict } from './strict.js';

const Text = Type.String({ minLength: 1 });

/** `POST /v1/classifications`. */
export const CreateClassificationBody = strict({
  model: Type.String({ minLength: 1, maxLength: 512 }),
  input: Type.Union([Text, Type.Array(Text, { minItems: 1, maxItems: 2048 })]),
});
export type CreateClassificationBody = Type.Static<typeof CreateClassificationBody>;

export const ClassificationList = Type.Object({
  object: Type.Literal('list'),
  model: Type.String(),
  data: Type.Array(
    Type.Object({
      index: Type.Integer(),
      label: Type.String(),
      /** Probability of that label. */
      score: Type.Number(),
      /** Of every label; they add up to 1. */
      scores: Type.Record(Type.String(), Type.Number()),
    }),
  ),
  usage: Type.Object({ prompt_tokens: Type.Integer(), total_tokens: Type.Integer() }),
});
export type ClassificationList = Type.Static<typeof ClassificationList>;
