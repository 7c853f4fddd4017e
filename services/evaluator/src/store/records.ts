import { summarize, type WorkEntry } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import { openRecords, type Records } from '@tunefleet/records';
import { EvalRecord, RunRecord } from './schemas.js';

const BUCKET = 'evaluator';

type EvalView = Pick<EvalRecord, 'id' | 'project' | 'created_at' | 'updated_at'>;
type RunView = WorkEntry & Pick<RunRecord, 'eval_id' | 'created_at' | 'data_sha256'> & { weights_sha256: string | null };

/** Evaluator's private records. */
export interface Store {
  evals: Records<EvalRecord, EvalView>;
  runs: Records<RunRecord, RunView>;
}

export async function openStore(bus: Bus): Promise<Store> {
  const [evals, runs] = await Promise.all([
    openRecords<EvalRecord, EvalView>(bus, {
      bucket: BUCKET,
      prefix: 'eval',
      schema: EvalRecord,
      project: ({ id, project, created_at, updated_at }) => ({ id, project, created_at, updated_at }),
    }),
    openRecords<RunRecord, RunView>(bus, {
      bucket: BUCKET,
      prefix: 'run',
      schema: RunRecord,
      project: ({ id, project, created_at, eval_id, data_sha256, model, work }) => ({
        id,
        project,
        created_at,
        eval_id,
        data_sha256,
        weights_sha256: model?.weights_sha256 ?? null,
        work: summarize(work),
      }),
    }),
  ]);
  return { evals, runs };
}
