import { ApiError, CreateEvalBody, EvalObject, LIMITS, mintId, UpdateEvalBody } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { createOnce } from '@tunefleet/records';
import { type App, ListSchema, listOf, onceRequest } from '@tunefleet/service';
import { Type } from 'typebox';
import { checkEval, getEval, newEval, updateEval } from '../domain/evals.js';
import type { Runs } from '../domain/run-owner.js';
import { evalView } from '../domain/views.js';
import type { Store } from '../store/records.js';
import { page } from './page.js';

const Params = Type.Object({ eval_id: Type.String() });
const Query = Type.Object(
  { ...page, order_by: Type.Enum(['created_at', 'updated_at'], { default: 'created_at' }) },
  { additionalProperties: false },
);

/** `/v1/evals`. */
export function evalRoutes(app: App, bus: Bus, store: Store, runs: Runs): void {
  app.post(
    '/v1/evals',
    { bodyLimit: LIMITS.evalBodyBytes, schema: { body: CreateEvalBody, response: { 201: EvalObject } } },
    async (request, reply) => {
      const { body, identity } = request;
      checkEval(body);
      const record = await createOnce(
        bus,
        onceRequest(request),
        () => mintId('eval'),
        async (id) => (await store.evals.create(newEval(id, identity.project, body))).value,
      );
      return reply.code(201).send(evalView(record));
    },
  );

  app.get('/v1/evals', { schema: { querystring: Query, response: { 200: ListSchema(EvalObject) } } }, async ({ identity, query }) => {
    const { order_by, ...paging } = query;
    if (order_by === 'updated_at') return byUpdate(store, identity.project, paging);
    const { items, has_more } = store.evals.list({ project: identity.project, ...paging });
    const found = await Promise.all(items.map(({ id }) => store.evals.get(id)));
    return listOf(
      found.flatMap((stored) => (stored ? [evalView(stored.value)] : [])),
      { has_more },
    );
  });

  app.get('/v1/evals/:eval_id', { schema: { params: Params, response: { 200: EvalObject } } }, async ({ identity, params }) =>
    evalView(await getEval(store, identity.project, params.eval_id)),
  );

  app.post(
    '/v1/evals/:eval_id',
    { schema: { params: Params, body: UpdateEvalBody, response: { 200: EvalObject } } },
    async ({ identity, params, body }) => evalView(await updateEval(store, identity.project, params.eval_id, body)),
  );

  const Deleted = Type.Object({ object: Type.Literal('eval.deleted'), deleted: Type.Boolean(), eval_id: Type.String() });
  app.delete('/v1/evals/:eval_id', { schema: { params: Params, response: { 200: Deleted } } }, async ({ identity, params }) => {
    const of = await getEval(store, identity.project, params.eval_id);
    await runs.removeAll(of.id);
    await store.evals.delete(of.id);
    return { object: 'eval.deleted' as const, deleted: true, eval_id: of.id };
  });
}

/** Ordered by the last change; pages by place, because the order itself moves. */
async function byUpdate(store: Store, project: string, { after, limit, order }: { after?: string; limit: number; order: 'asc' | 'desc' }) {
  const sign = order === 'asc' ? 1 : -1;
  const all = [...store.evals.all()]
    .filter((view) => view.project === project)
    .sort((a, b) => sign * (a.updated_at - b.updated_at || (a.id < b.id ? -1 : 1)));
  const start = after === undefined ? 0 : all.findIndex((view) => view.id === after) + 1;
  if (after !== undefined && start === 0)
    throw new ApiError('invalid_value', `'after' names no eval of this project: '${after}'.`, { param: 'after' });
  const found = await Promise.all(all.slice(start, start + limit).map(({ id }) => store.evals.get(id)));
  return listOf(
    found.flatMap((stored) => (stored ? [evalView(stored.value)] : [])),
    { has_more: start + limit < all.length },
  );
}
