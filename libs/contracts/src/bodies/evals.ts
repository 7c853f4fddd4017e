import { Type } from 'typebox';
import { nullable, strict } from './strict.js';

const Metadata = nullable(Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 512 }), { maxProperties: 16 }));
const Name = Type.String({ minLength: 1, maxLength: 256 });
const Open = Type.Record(Type.String(), Type.Unknown());

/** A grader is checked by `libs/evaluation`, which names what it does not build. */
const Grader = Open;

/** Known sources of data. `logs` and `stored_completions` are refused as `not_supported`. */
export const CreateEvalBody = strict({
  name: Type.Optional(nullable(Name)),
  metadata: Type.Optional(Metadata),
  data_source_config: Type.Union([
    strict({ type: Type.Literal('custom'), item_schema: Open, include_sample_schema: Type.Optional(Type.Boolean()) }),
    strict({ type: Type.Literal('logs'), metadata: Type.Optional(Type.Unknown()) }),
    strict({ type: Type.Literal('stored_completions'), metadata: Type.Optional(Type.Unknown()) }),
  ]),
  testing_criteria: Type.Array(Grader, { minItems: 1, maxItems: 64 }),
});
export type CreateEvalBody = Type.Static<typeof CreateEvalBody>;

export const UpdateEvalBody = strict({ name: Type.Optional(Name), metadata: Type.Optional(Metadata) });
export type UpdateEvalBody = Type.Static<typeof UpdateEvalBody>;

const FileContent = strict({
  type: Type.Literal('file_content'),
  content: Type.Array(strict({ item: Open, sample: Type.Optional(Open) }), { minItems: 1, maxItems: 100_000 }),
});
const FileId = strict({ type: Type.Literal('file_id'), id: Type.String({ minLength: 1, maxLength: 128 }) });
const StoredCompletions = strict({
  type: Type.Literal('stored_completions'),
  metadata: Type.Optional(Type.Unknown()),
  model: Type.Optional(Type.Unknown()),
  created_after: Type.Optional(Type.Unknown()),
  created_before: Type.Optional(Type.Unknown()),
  limit: Type.Optional(Type.Unknown()),
});

const MessageText = Type.Union([Type.String(), strict({ type: Type.Enum(['input_text', 'output_text']), text: Type.String() })]);
const TemplateMessage = strict({
  type: Type.Optional(Type.Literal('message')),
  role: Type.Enum(['user', 'assistant', 'system', 'developer']),
  content: MessageText,
});

export const CompletionsSource = strict({
  type: Type.Literal('completions'),
  model: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  source: Type.Union([FileContent, FileId, StoredCompletions]),
  input_messages: Type.Optional(
    Type.Union([
      strict({ type: Type.Literal('template'), template: Type.Array(TemplateMessage, { minItems: 1, maxItems: 256 }) }),
      strict({ type: Type.Literal('item_reference'), item_reference: Type.String({ minLength: 1 }) }),
    ]),
  ),
  sampling_params: Type.Optional(
    strict({
      temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
      top_p: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
      seed: Type.Optional(Type.Integer()),
      max_completion_tokens: Type.Optional(Type.Integer({ minimum: 1 })),
      response_format: Type.Optional(Type.Unknown()),
      tools: Type.Optional(Type.Unknown()),
      reasoning_effort: Type.Optional(Type.Unknown()),
    }),
  ),
});
export type CompletionsSource = Type.Static<typeof CompletionsSource>;

export const JsonlSource = strict({ type: Type.Literal('jsonl'), source: Type.Union([FileContent, FileId]) });

export const CreateRunBody = strict({
  name: Type.Optional(nullable(Name)),
  metadata: Type.Optional(Metadata),
  data_source: Type.Union([JsonlSource, CompletionsSource, Type.Object({ type: Type.Literal('responses') })]),
});
export type CreateRunBody = Type.Static<typeof CreateRunBody>;

const Criterion = Type.Object({ testing_criteria: Type.String(), passed: Type.Integer(), failed: Type.Integer() });
const ModelUsage = Type.Object({
  model_name: Type.String(),
  invocation_count: Type.Integer(),
  prompt_tokens: Type.Integer(),
  completion_tokens: Type.Integer(),
  cached_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
});
export const Counts = Type.Object({ total: Type.Integer(), errored: Type.Integer(), failed: Type.Integer(), passed: Type.Integer() });
export type Counts = Type.Static<typeof Counts>;

export const EvalObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('eval'),
  created_at: Type.Integer(),
  name: Type.String(),
  data_source_config: Type.Object({ type: Type.Literal('custom'), schema: Open }),
  testing_criteria: Type.Array(Open),
  metadata: Metadata,
});

export const RUN_STATUSES = ['queued', 'in_progress', 'completed', 'canceled', 'failed'] as const;

export const RunObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('eval.run'),
  eval_id: Type.String(),
  status: Type.Enum([...RUN_STATUSES]),
  model: Type.String(),
  name: Type.String(),
  created_at: Type.Integer(),
  data_source: Open,
  report_url: Type.String(),
  result_counts: Counts,
  per_model_usage: nullable(Type.Array(ModelUsage)),
  per_testing_criteria_results: nullable(Type.Array(Criterion)),
  error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
  metadata: Metadata,
  /** Hash of the rows; a gate counts runs on the data that its eval first ran on. */
  tunefleet: Type.Object({ data_sha256: nullable(Type.String()), weights_sha256: nullable(Type.String()) }),
});

export const OutputItem = Type.Object({
  id: Type.String(),
  object: Type.Literal('eval.run.output_item'),
  run_id: Type.String(),
  eval_id: Type.String(),
  created_at: Type.Integer(),
  status: Type.Enum(['pass', 'fail', 'error']),
  datasource_item_id: Type.Integer(),
  datasource_item: Open,
  results: Type.Array(Type.Object({ name: Type.String(), type: Type.String(), score: Type.Number(), passed: Type.Boolean() })),
  sample: Type.Object({
    input: Type.Array(Type.Object({ role: Type.String(), content: Type.String() })),
    output: Type.Array(Type.Object({ role: Type.String(), content: Type.String() })),
    finish_reason: Type.String(),
    model: Type.String(),
    usage: Type.Object({
      total_tokens: Type.Integer(),
      completion_tokens: Type.Integer(),
      prompt_tokens: Type.Integer(),
      cached_tokens: Type.Integer(),
    }),
    error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
    temperature: Type.Number(),
    max_completion_tokens: Type.Integer(),
    top_p: Type.Number(),
    seed: Type.Integer(),
  }),
});
export type OutputItem = Type.Static<typeof OutputItem>;
