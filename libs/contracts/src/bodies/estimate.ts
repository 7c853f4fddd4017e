import { Type } from 'typebox';

/** Answer of `POST /v1/fine_tuning/estimate`. */
export const FineTuningEstimate = Type.Object({
  object: Type.Literal('fine_tuning.estimate'),
  tokens: Type.Integer(),
  truncated_rows: Type.Integer(),
  steps: Type.Integer(),
  seconds: Type.Number(),
  peak_memory_bytes: Type.Integer(),
  /** A fleet of one's own has no price. */
  cost: Type.Null(),
  /** Relative errors. */
  error: Type.Object({ seconds: Type.Number(), peak_memory_bytes: Type.Number() }),
});
export type FineTuningEstimate = Type.Static<typeof FineTuningEstimate>;
