import { ApiError, type CreateRunBody } from '@tunefleet/contracts';
import { EvaluationError, parseTemplate } from '@tunefleet/evaluation';
import type { Bus } from '@tunefleet/messaging';
import type { Store } from '../store/records.js';
import type { EvalRecord, RunRecord, Summary } from '../store/schemas.js';

export const RUN_QUEUE = 'runs';

export const missingRun = (id: string): ApiError =>
  new ApiError('run_not_found', `No run '${id}' of this eval. GET /v1/evals/{eval_id}/runs lists them.`, { param: 'run_id' });

export async function getRun(store: Store, project: string, evalId: string, id: string): Promise<RunRecord> {
  const found = await store.runs.get(id);
  if (found?.value.project !== project || found.value.eval_id !== evalId) throw missingRun(id);
  return found.value;
}

export const emptySummary = (criteria: number): Summary => ({
  counts: { total: 0, errored: 0, failed: 0, passed: 0 },
  usage: { invocation_count: 0, prompt_tokens: 0, completion_tokens: 0 },
  criteria: Array.from({ length: criteria }, () => ({ passed: 0, failed: 0 })),
});

const NOT_BUILT = ['response_format', 'tools', 'reasoning_effort'] as const;

function checkCompletions(source: Extract<CreateRunBody['data_source'], { type: 'completions' }>): void {
  const at = 'data_source';
  if (source.model === undefined)
    throw new ApiError('missing_required_parameter', "Missing required parameter: 'data_source.model'.", { param: `${at}.model` });
  if (source.input_messages === undefined) {
    throw new ApiError('missing_required_parameter', "Missing required parameter: 'data_source.input_messages'.", {
      param: `${at}.input_messages`,
    });
  }
  for (const name of NOT_BUILT) {
    const value = source.sampling_params?.[name];
    if (value === undefined || value === null || (name === 'response_format' && (value as { type?: unknown }).type === 'text')) continue;
    throw new ApiError('not_supported', `'${name}' is not supported yet; leave it out.`, { param: `${at}.sampling_params.${name}` });
  }
  const texts =
    source.input_messages.type === 'item_reference'
      ? [[`{{${source.input_messages.item_reference}}}`, 'item_reference'] as const]
      : source.input_messages.template.map(
          ({ content }, i) => [typeof content === 'string' ? content : content.text, `template.${i}.content`] as const,
        );
  for (const [text, place] of texts) {
    try {
      parseTemplate(text);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      throw new ApiError('invalid_value', `Invalid template: ${error.message}.`, { param: `${at}.input_messages.${place}`, cause: error });
    }
  }
}

/** What a run is made of, checked: data, model, templates. Errors: `not_supported`, `file_not_found`, `model_not_found`, `invalid_purpose`, ... */
export async function checkRun(
  bus: Bus,
  project: string,
  body: CreateRunBody,
): Promise<Pick<RunRecord, 'source' | 'completions' | 'model'>> {
  const { data_source: data } = body;
  if (data.type === 'responses')
    throw new ApiError('not_supported', "Runs on 'responses' are not supported yet.", { param: 'data_source.type' });
  if (data.source.type === 'stored_completions') {
    throw new ApiError('not_supported', "Rows from 'stored_completions' are not supported yet.", { param: 'data_source.source.type' });
  }
  if (data.type === 'completions') checkCompletions(data);
  const source = data.source.type === 'file_id' ? { type: 'file_id' as const, id: data.source.id } : { type: 'file_content' as const };
  if (source.type === 'file_id') await checkFile(bus, project, source.id);
  if (data.type === 'jsonl') return { source, completions: null, model: null };
  const { source: _rows, ...completions } = data;
  const resolved = await bus.request('model-registry.resolve_model', { project, model: data.model ?? '' });
  return { source, completions, model: { id: resolved.id, weights_sha256: resolved.weights_sha256 } };
}

async function checkFile(bus: Bus, project: string, id: string): Promise<void> {
  const param = 'data_source.source.id';
  try {
    const file = await bus.request('dataset.get_file', { project, id });
    if (file.purpose !== 'evals')
      throw new ApiError('invalid_purpose', `File '${id}' has the purpose '${file.purpose}'; an eval run needs 'evals'.`, { param });
    if (file.status === 'error')
      throw new ApiError('invalid_value', `File '${id}' is in error: ${file.fault?.message ?? 'see its status_details'}`, { param });
  } catch (error) {
    if (error instanceof ApiError && error.code === 'file_not_found')
      throw new ApiError('file_not_found', `No such file: '${id}'.`, { param, cause: error });
    throw error;
  }
}

export function newRun(
  id: string,
  of: EvalRecord,
  body: CreateRunBody,
  checked: Pick<RunRecord, 'source' | 'completions' | 'model'>,
): Omit<RunRecord, 'work'> {
  return {
    id,
    project: of.project,
    created_at: Math.floor(Date.now() / 1000),
    schema: 1,
    eval_id: of.id,
    name: body.name ?? id,
    metadata: body.metadata ?? null,
    ...checked,
    data_sha256: null,
    summary: emptySummary(of.testing_criteria.length),
  };
}
