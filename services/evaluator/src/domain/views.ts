import type { RUN_STATUSES } from '@tunefleet/contracts';
import type { WorkStateName } from '@tunefleet/jobs';
import type { RunObjects } from '../store/run-objects.js';
import type { EvalRecord, RunRecord } from '../store/schemas.js';

type RunStatus = (typeof RUN_STATUSES)[number];

const STATUS: Record<WorkStateName, RunStatus> = {
  validating_files: 'queued',
  queued: 'queued',
  running: 'in_progress',
  pausing: 'in_progress',
  paused: 'queued',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'canceled',
};
export const statusOf = (state: WorkStateName): RunStatus => STATUS[state];

/** The schema of a row as OpenAI answers it: the item, and the sample where the eval asks for one. */
const rowSchema = ({ item_schema, include_sample_schema }: EvalRecord): Record<string, unknown> => ({
  type: 'object',
  properties: {
    item: item_schema,
    ...(include_sample_schema
      ? { sample: { type: 'object', properties: { output_text: { type: 'string' } }, required: ['output_text'] } }
      : {}),
  },
  required: include_sample_schema ? ['item', 'sample'] : ['item'],
});

export const evalView = (record: EvalRecord) => ({
  id: record.id,
  object: 'eval' as const,
  created_at: record.created_at,
  name: record.name,
  data_source_config: { type: 'custom' as const, schema: rowSchema(record) },
  testing_criteria: record.testing_criteria,
  metadata: record.metadata,
});

/** A run as OpenAI answers it; `reportUrl` is where its items can be read. */
export async function runView(record: RunRecord, of: EvalRecord | null, objects: RunObjects, reportUrl: string) {
  const { work, summary, model, completions } = record;
  const source = record.source.type === 'file_id' ? record.source : { type: 'file_content', content: await objects.content() };
  const { usage, counts, criteria } = summary;
  const done = counts.passed + counts.failed + counts.errored;
  const names = of?.testing_criteria.map(({ name }) => String(name)) ?? [];
  return {
    id: record.id,
    object: 'eval.run' as const,
    eval_id: record.eval_id,
    status: statusOf(work.state),
    model: model?.id ?? '',
    name: record.name,
    created_at: record.created_at,
    data_source: completions ? { ...completions, source } : { type: 'jsonl', source },
    report_url: reportUrl,
    result_counts: counts,
    per_model_usage:
      model && usage.invocation_count > 0
        ? [{ model_name: model.id, ...usage, cached_tokens: 0, total_tokens: usage.prompt_tokens + usage.completion_tokens }]
        : null,
    per_testing_criteria_results: done > 0 ? criteria.map((counted, i) => ({ testing_criteria: names[i] ?? String(i), ...counted })) : null,
    error: work.error ? { code: work.error.code, message: work.error.message } : null,
    metadata: record.metadata,
    tunefleet: { data_sha256: record.data_sha256, weights_sha256: model?.weights_sha256 ?? null },
  };
}
