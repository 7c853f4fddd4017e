import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiError, idSuffix, type OutputItem } from '@tunefleet/contracts';
import type { Claim, Outcome, WorkContext } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import { download, type ObjectStore } from '@tunefleet/object-store';
import type { Store } from '../store/records.js';
import { CHUNK_ROWS, type Row, RunObjects } from '../store/run-objects.js';
import type { EvalRecord, RunRecord, Summary } from '../store/schemas.js';
import { addItems, type Criterion, criteriaOf, grade } from './grade.js';
import { type ItemCheck, itemCheck } from './item-schema.js';
import { chunked } from './rows.js';
import { emptySummary } from './runs.js';
import { draw } from './sample.js';

/** Rows asked at the same time: inference computes one after another, this hides the way there and back. */
const CONCURRENCY = 4;

/** What a run's worker tells its owner: the data once it is known, and the sum of the chunks that are done. */
export type RunProgress = { data_sha256: string; total: number } | { summary: Summary };

export const outputItemId = (run: string, index: number): string => `outputitem_${idSuffix('run', run)}_${index}`;

interface Tools {
  bus: Bus;
  objects: ObjectStore;
  store: Store;
}

/** Works on one run, chunk by chunk; chunks that an attempt before has written are not asked again. */
export async function workOnRun({ bus, objects, store }: Tools, claim: Claim, context: WorkContext): Promise<Outcome> {
  const run = (await store.runs.get(claim.id))?.value;
  const of = run && (await store.evals.get(run.eval_id))?.value;
  if (!run || !of) return failed(new ApiError('eval_not_found', 'The eval was deleted while its run was waiting.'));
  try {
    const own = new RunObjects(objects, run.project, run.id);
    const data = await gather(bus, run, own, context.signal);
    let told = context.progress([data]);
    told.catch(() => undefined); // awaited below
    let summary: Summary = { ...emptySummary(of.testing_criteria.length), counts: { total: data.total, errored: 0, failed: 0, passed: 0 } };
    let chunk = 0;
    const grading = { criteria: criteriaOf(of), fits: itemCheck(of.item_schema) };
    for await (const rows of chunked(await own.rows())) {
      if (context.wish() === 'drain' || context.wish() === 'pause') return { type: 'drained' };
      context.signal.throwIfAborted();
      let items = await own.items(chunk);
      if (!items) {
        items = await doChunk(bus, run, of, rows, chunk, grading, context.signal);
        await own.putItems(chunk, items);
      }
      summary = addItems(summary, items);
      chunk += 1;
      context.step(chunk);
      // The owner's answer takes up to 200 ms: the next chunk is worked on meanwhile.
      await told;
      told = context.progress([{ summary }]);
      told.catch(() => undefined); // awaited above or below
    }
    await told;
    return { type: 'completed', result: { summary } };
  } catch (error) {
    if (context.signal.aborted) return { type: 'drained' };
    return failed(error);
  }
}

const failed = (error: unknown): Outcome => {
  const known = error instanceof ApiError ? error : new ApiError('internal_error', (error as Error).message, { cause: error });
  return { type: 'failed', error: { code: known.code, message: known.message, param: known.param }, retry: known.status >= 500 };
};

/** The rows as an object of the run's own: what it measured stays readable when the file is deleted. */
async function gather(bus: Bus, run: RunRecord, own: RunObjects, signal: AbortSignal): Promise<{ data_sha256: string; total: number }> {
  if (run.source.type === 'file_id' && !(await own.hasRows())) {
    const folder = await mkdtemp(join(tmpdir(), 'tunefleet-rows-'));
    try {
      const link = await bus.request('dataset.get_content', { project: run.project, id: run.source.id });
      await download(link, join(folder, 'rows'), { signal });
      await own.putRows(createReadStream(join(folder, 'rows')), signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const hash = createHash('sha256');
  let total = 0;
  for await (const rows of chunked(await own.rows())) {
    for (const row of rows) hash.update(`${JSON.stringify(row)}\n`);
    total += rows.length;
  }
  if (total === 0) throw new ApiError('empty_file', 'There are no rows to run on.', { param: 'data_source.source' });
  return { data_sha256: hash.digest('hex'), total };
}

async function doChunk(
  bus: Bus,
  run: RunRecord,
  of: EvalRecord,
  rows: Row[],
  chunk: number,
  { criteria, fits }: { criteria: Criterion[]; fits: ItemCheck },
  signal: AbortSignal,
): Promise<OutputItem[]> {
  const items: OutputItem[] = new Array<OutputItem>(rows.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < rows.length; i = next++) {
      const row = rows[i] as Row;
      const sample = await draw(bus, run, row, signal);
      const index = chunk * CHUNK_ROWS + i;
      items[i] = {
        id: outputItemId(run.id, index),
        object: 'eval.run.output_item',
        run_id: run.id,
        eval_id: of.id,
        created_at: Math.floor(Date.now() / 1000),
        datasource_item_id: index,
        datasource_item: row.item,
        ...grade(criteria, fits, row, sample),
      };
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return items;
}
