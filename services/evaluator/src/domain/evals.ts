import { ApiError, type CreateEvalBody, type UpdateEvalBody } from '@tunefleet/contracts';
import { EvaluationError, parseGrader } from '@tunefleet/evaluation';
import type { Store } from '../store/records.js';
import type { EvalRecord } from '../store/schemas.js';
import { itemCheck } from './item-schema.js';

const now = (): number => Math.floor(Date.now() / 1000);

export const missingEval = (id: string): ApiError =>
  new ApiError('eval_not_found', `No eval '${id}' in this project. GET /v1/evals lists them.`, { param: 'eval_id' });

export async function getEval(store: Store, project: string, id: string): Promise<EvalRecord> {
  const found = await store.evals.get(id);
  if (found?.value.project !== project) throw missingEval(id);
  return found.value;
}

function checkCriteria(criteria: readonly unknown[]): void {
  for (const [index, criterion] of criteria.entries()) {
    try {
      parseGrader(criterion, `testing_criteria.${index}`);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      const code =
        error.code === 'invalid_template' || error.code === 'invalid_variable' || error.code === 'sample_parse_error'
          ? 'invalid_value'
          : error.code;
      throw new ApiError(code, `Invalid grader: ${error.message}.`, { param: error.param, cause: error });
    }
  }
}

/** Check a posted eval whole, before it is given an id. Errors: `not_supported`, `invalid_value` and their like, with params. */
export function checkEval(body: CreateEvalBody): void {
  const { data_source_config: config } = body;
  if (config.type !== 'custom')
    throw new ApiError('not_supported', `Evals on '${config.type}' are not supported yet; use a custom data source.`, {
      param: 'data_source_config.type',
    });
  checkCriteria(body.testing_criteria);
  itemCheck(config.item_schema);
}

export function newEval(id: string, project: string, body: CreateEvalBody): EvalRecord {
  const { data_source_config: config } = body;
  if (config.type !== 'custom') throw new Error('checkEval comes first');
  const time = now();
  return {
    id,
    project,
    created_at: time,
    updated_at: time,
    schema: 1,
    name: body.name ?? id,
    item_schema: config.item_schema,
    include_sample_schema: config.include_sample_schema ?? false,
    testing_criteria: body.testing_criteria,
    metadata: body.metadata ?? null,
    data_sha256: null,
  };
}

export async function updateEval(store: Store, project: string, id: string, body: UpdateEvalBody): Promise<EvalRecord> {
  await getEval(store, project, id);
  const { value } = await store.evals.update(id, (record) => ({
    ...record,
    updated_at: now(),
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
  }));
  return value;
}

/** The first run's rows become the eval's data; later ones leave it. */
export async function pinData(store: Store, id: string, sha256: string): Promise<void> {
  await store.evals.update(id, (record) => (record.data_sha256 === null ? { ...record, data_sha256: sha256 } : null));
}
