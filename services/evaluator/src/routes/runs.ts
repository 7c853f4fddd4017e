import { CreateRunBody, LIMITS, mintId, RUN_STATUSES, RunObject } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { createOnce } from '@tunefleet/records';
import { type App, ListSchema, listOf, onceRequest } from '@tunefleet/service';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { getEval } from '../domain/evals.js';
import type { Runs } from '../domain/run-owner.js';
import { getRun } from '../domain/runs.js';
import { runView, statusOf } from '../domain/views.js';
import type { Store } from '../store/records.js';
import type { RunRecord } from '../store/schemas.js';
import { page } from './page.js';

const EvalParams = Type.Object({ eval_id: Type.String() });
const Params = Type.Object({ eval_id: Type.String(), run_id: Type.String() });
const Query = Type.Object({ ...page, status: Type.Optional(Type.Enum([...RUN_STATUSES])) }, { additionalProperties: false });

/** Where the run's items can be read, at the address by which the caller came. */
const report = (request: FastifyRequest, { eval_id, id }: RunRecord): string => {
  const host = request.headers['x-forwarded-host'] ?? request.headers.host;
  return `${request.headers['x-forwarded-proto'] ?? 'http'}://${host}/v1/evals/${eval_id}/runs/${id}/output_items`;
};

/** `/v1/evals/{eval_id}/runs`. Cancel is served on both paths that OpenAI's clients use. */
export function runRoutes(app: App, bus: Bus, store: Store, runs: Runs): void {
  const view = async (request: FastifyRequest, run: RunRecord) =>
    runView(run, (await store.evals.get(run.eval_id))?.value ?? null, runs.objectsOf(run), report(request, run));

  app.post(
    '/v1/evals/:eval_id/runs',
    { bodyLimit: LIMITS.evalBodyBytes, schema: { params: EvalParams, body: CreateRunBody, response: { 201: RunObject } } },
    async (request, reply) => {
      const of = await getEval(store, request.identity.project, request.params.eval_id);
      const run = await createOnce(
        bus,
        onceRequest(request),
        () => mintId('run'),
        async (id) => (await store.runs.get(id))?.value ?? runs.create(id, of, request.body),
      );
      return reply.code(201).send(await view(request, run));
    },
  );

  app.get(
    '/v1/evals/:eval_id/runs',
    { schema: { params: EvalParams, querystring: Query, response: { 200: ListSchema(RunObject) } } },
    async (request) => {
      const { identity, params, query } = request;
      const of = await getEval(store, identity.project, params.eval_id);
      const { status, ...paging } = query;
      const { items, has_more } = store.runs.list({
        project: identity.project,
        ...paging,
        where: (run) => run.eval_id === of.id && (status === undefined || statusOf(run.work.state) === status),
      });
      const found = await Promise.all(items.map(({ id }) => store.runs.get(id)));
      return listOf(await Promise.all(found.flatMap((stored) => (stored ? [view(request, stored.value)] : []))), { has_more });
    },
  );

  app.get('/v1/evals/:eval_id/runs/:run_id', { schema: { params: Params, response: { 200: RunObject } } }, async (request) =>
    view(request, await getRun(store, request.identity.project, request.params.eval_id, request.params.run_id)),
  );

  for (const path of ['/v1/evals/:eval_id/runs/:run_id', '/v1/evals/:eval_id/runs/:run_id/cancel']) {
    app.post(path, { schema: { params: Params, response: { 200: RunObject } } }, async (request) => {
      const { identity, params } = request;
      const run = await getRun(store, identity.project, params.eval_id, params.run_id);
      return view(request, await runs.owner.move(run.id, 'cancel'));
    });
  }

  const Deleted = Type.Object({ object: Type.Literal('eval.run.deleted'), deleted: Type.Boolean(), run_id: Type.String() });
  app.delete(
    '/v1/evals/:eval_id/runs/:run_id',
    { schema: { params: Params, response: { 200: Deleted } } },
    async ({ identity, params }) => {
      const run = await getRun(store, identity.project, params.eval_id, params.run_id);
      await runs.removeOne(run);
      return { object: 'eval.run.deleted' as const, deleted: true, run_id: run.id };
    },
  );
}
