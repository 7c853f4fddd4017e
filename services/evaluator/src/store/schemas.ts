import { CompletionsSource, Counts, nullable } from '@tunefleet/contracts';
import { WorkState } from '@tunefleet/jobs';
import { type Static, Type } from 'typebox';

const Head = { id: Type.String(), project: Type.String(), created_at: Type.Integer(), schema: Type.Literal(1) };
const Metadata = nullable(Type.Record(Type.String(), Type.String()));
const Open = Type.Record(Type.String(), Type.Unknown());

export const EvalRecord = Type.Object({
  ...Head,
  updated_at: Type.Integer(),
  name: Type.String(),
  item_schema: Open,
  include_sample_schema: Type.Boolean(),
  testing_criteria: Type.Array(Open),
  metadata: Metadata,
  /** Of the rows of its first run: a gate counts runs on these alone. Null before. */
  data_sha256: nullable(Type.String()),
});
export type EvalRecord = Static<typeof EvalRecord>;

const Usage = Type.Object({ invocation_count: Type.Integer(), prompt_tokens: Type.Integer(), completion_tokens: Type.Integer() });

/** What a run has come to, over the rows that are done. */
export const Summary = Type.Object({
  counts: Counts,
  usage: Usage,
  criteria: Type.Array(Type.Object({ passed: Type.Integer(), failed: Type.Integer() })),
});
export type Summary = Static<typeof Summary>;

/** Where the rows come from: a file of dataset's, or what was posted (kept as an object of ours). */
const RowSource = Type.Union([
  Type.Object({ type: Type.Literal('file_id'), id: Type.String() }),
  Type.Object({ type: Type.Literal('file_content') }),
]);

export const RunRecord = Type.Object({
  ...Head,
  eval_id: Type.String(),
  name: Type.String(),
  metadata: Metadata,
  source: RowSource,
  /** Null for `jsonl`: the answers are in the rows. */
  completions: nullable(Type.Omit(CompletionsSource, ['source'])),
  /** Canonical id and weights of the model at creation; an alias that moves later changes nothing. */
  model: nullable(Type.Object({ id: Type.String(), weights_sha256: Type.String() })),
  data_sha256: nullable(Type.String()),
  summary: Summary,
  work: WorkState,
});
export type RunRecord = Static<typeof RunRecord>;
