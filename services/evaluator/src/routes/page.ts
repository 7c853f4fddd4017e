import { Type } from 'typebox';

/** Query of a list: oldest first unless asked otherwise, as OpenAI's evals do. */
export const page = {
  after: Type.Optional(Type.String()),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
  order: Type.Enum(['asc', 'desc'], { default: 'asc' }),
};
