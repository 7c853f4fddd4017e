import { ApiError, type CreateRunBody } from '@tunefleet/contracts';
import { openWork, startWorker, type Worker, type WorkOwner } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Store } from '../store/records.js';
import { RunObjects } from '../store/run-objects.js';
import type { EvalRecord, RunRecord, Summary } from '../store/schemas.js';
import { pinData } from './evals.js';
import { type RunProgress, workOnRun } from './run-worker.js';
import { checkRun, newRun, RUN_QUEUE } from './runs.js';

/** Eval runs as durable work: this service owns them and also works on them; replicas share both. */
export interface Runs {
  readonly owner: WorkOwner<RunRecord>;
  create(id: string, of: EvalRecord, body: CreateRunBody): Promise<RunRecord>;
  /** Cancels it first where it is not finished. */
  removeOne(run: RunRecord): Promise<void>;
  removeAll(evalId: string): Promise<void>;
  objectsOf(run: Pick<RunRecord, 'project' | 'id'>): RunObjects;
  drain(): Promise<void>;
}

const doneRows = ({ counts }: Summary): number => counts.passed + counts.failed + counts.errored;

async function recordProgress(owner: WorkOwner<RunRecord>, store: Store, run: RunRecord, rows: unknown[]): Promise<void> {
  for (const row of rows as RunProgress[]) {
    if ('data_sha256' in row) {
      await pinData(store, run.eval_id, row.data_sha256);
      await owner.updateHeld(run.id, run.work.attempt, (current) => ({
        ...current,
        data_sha256: row.data_sha256,
        summary: { ...current.summary, counts: { ...current.summary.counts, total: row.total } },
      }));
    } else {
      // a later attempt reads finished chunks again: what it has counted so far is less than what is known
      await owner.updateHeld(run.id, run.work.attempt, (current) =>
        doneRows(row.summary) > doneRows(current.summary) ? { ...current, summary: row.summary } : null,
      );
    }
  }
}

export async function openRuns(bus: Bus, objects: ObjectStore, store: Store, concurrency: number): Promise<Runs> {
  const objectsOf = ({ project, id }: Pick<RunRecord, 'project' | 'id'>): RunObjects => new RunObjects(objects, project, id);
  const owner: WorkOwner<RunRecord> = await openWork(bus, {
    service: 'evaluator',
    records: store.runs,
    queues: [RUN_QUEUE],
    slots: { [RUN_QUEUE]: concurrency },
    onClaim: async () => ({}),
    onProgress: (run, rows) => recordProgress(owner, store, run, rows),
    onComplete: async (_run, _attempt, result) => ({ summary: (result as { summary: Summary }).summary }),
  });
  const worker: Worker = startWorker(bus, {
    owner: 'evaluator',
    queue: RUN_QUEUE,
    concurrency,
    run: (claim, context) => workOnRun({ bus, objects, store }, claim, context),
  });

  const removeOne = async (run: RunRecord): Promise<void> => {
    await cancelQuietly(owner, run);
    await store.runs.delete(run.id);
    await objectsOf(run).remove();
  };
  return {
    owner,
    objectsOf,
    removeOne,
    async create(id, of, body) {
      const checked = await checkRun(bus, of.project, body);
      const data = body.data_source;
      if (data.type !== 'responses' && 'source' in data && (data.source as { type: string }).type === 'file_content') {
        const { content } = data.source as { content: unknown[] };
        await objectsOf({ project: of.project, id }).putRows(Buffer.from(content.map((row) => JSON.stringify(row)).join('\n')));
      }
      return (await owner.submit(newRun(id, of, body, checked), { queue: RUN_QUEUE, kind: 'eval_run' })).value;
    },
    async removeAll(evalId) {
      for (const { id, eval_id } of [...store.runs.all()]) {
        const run = eval_id === evalId ? (await store.runs.get(id))?.value : null;
        if (run) await removeOne(run);
      }
    },
    async drain() {
      await worker.drain();
      await owner.drain();
    },
  };
}

async function cancelQuietly(owner: WorkOwner<RunRecord>, run: RunRecord): Promise<void> {
  try {
    await owner.move(run.id, 'cancel');
  } catch (error) {
    if (!(error instanceof ApiError) || (error.code !== 'invalid_state' && error.code !== 'not_found')) throw error;
  }
}
