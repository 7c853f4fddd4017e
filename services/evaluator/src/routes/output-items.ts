import { ApiError, OutputItem } from '@tunefleet/contracts';
import { type App, ListSchema, listOf } from '@tunefleet/service';
import { Type } from 'typebox';
import type { Runs } from '../domain/run-owner.js';
import { outputItemId } from '../domain/run-worker.js';
import { getRun } from '../domain/runs.js';
import type { Store } from '../store/records.js';
import { CHUNK_ROWS } from '../store/run-objects.js';
import type { RunRecord } from '../store/schemas.js';
import { page } from './page.js';

const Params = Type.Object({ eval_id: Type.String(), run_id: Type.String() });
const ItemParams = Type.Object({ eval_id: Type.String(), run_id: Type.String(), item_id: Type.String() });
const Query = Type.Object({ ...page, status: Type.Optional(Type.Enum(['pass', 'fail'])) }, { additionalProperties: false });

/** The row that an id stands for; an id of another run is unknown here. */
function indexOf(run: RunRecord, id: string, param: string): number {
  const index = Number(/_(\d{1,9})$/.exec(id)?.[1]);
  if (!Number.isInteger(index) || outputItemId(run.id, index) !== id || index >= run.summary.counts.total) {
    if (param === 'after') throw new ApiError('invalid_value', `'after' names no output item of this run: '${id}'.`, { param });
    throw new ApiError('not_found', `No output item '${id}' of this run.`, { param });
  }
  return index;
}

/** Items from a place on in the order asked for, chunk by chunk, those that are done. */
async function* walk(runs: Runs, run: RunRecord, from: number, order: 'asc' | 'desc'): AsyncGenerator<OutputItem> {
  const objects = runs.objectsOf(run);
  const { total } = run.summary.counts;
  const step = order === 'asc' ? 1 : -1;
  for (let chunk = Math.floor(from / CHUNK_ROWS); chunk >= 0 && chunk * CHUNK_ROWS < total; chunk += step) {
    const items = (await objects.items(chunk)) ?? [];
    for (const item of order === 'asc' ? items : items.toReversed()) {
      if (step * (item.datasource_item_id - from) >= 0) yield item;
    }
  }
}

/** `/v1/evals/{eval_id}/runs/{run_id}/output_items`. */
export function outputItemRoutes(app: App, store: Store, runs: Runs): void {
  const base = '/v1/evals/:eval_id/runs/:run_id/output_items';

  app.get(
    base,
    { schema: { params: Params, querystring: Query, response: { 200: ListSchema(OutputItem) } } },
    async ({ identity, params, query }) => {
      const run = await getRun(store, identity.project, params.eval_id, params.run_id);
      const { after, limit, order, status } = query;
      const first = order === 'asc' ? 0 : run.summary.counts.total - 1;
      const from = after === undefined ? first : indexOf(run, after, 'after') + (order === 'asc' ? 1 : -1);
      const found: OutputItem[] = [];
      if (from >= 0) {
        for await (const item of walk(runs, run, from, order)) {
          if (status === undefined || item.status === status) found.push(item);
          if (found.length > limit) break;
        }
      }
      return listOf(found, { limit });
    },
  );

  app.get(`${base}/:item_id`, { schema: { params: ItemParams, response: { 200: OutputItem } } }, async ({ identity, params }) => {
    const run = await getRun(store, identity.project, params.eval_id, params.run_id);
    const index = indexOf(run, params.item_id, 'output_item_id');
    const item = (await runs.objectsOf(run).items(Math.floor(index / CHUNK_ROWS)))?.[index % CHUNK_ROWS];
    if (!item) throw new ApiError('not_found', `Output item '${params.item_id}' is not done yet.`, { param: 'output_item_id' });
    return item;
  });
}
