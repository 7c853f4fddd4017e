import { AliasList, AliasObject, DeletedAlias, GateObject, PutAliasBody, PutGateBody } from '@tunefleet/contracts';
import { type App, listOf } from '@tunefleet/service';
import { Type } from 'typebox';
import { deleteAlias, getAlias, putAlias, putGate } from '../domain/aliases.js';
import { type Results, requireEvals } from '../domain/gate.js';
import { aliasView } from '../domain/views.js';
import type { Store } from '../store/records.js';

const Params = Type.Object({ name: Type.String() });
const Query = Type.Object(
  {
    after: Type.Optional(Type.String()),
    limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
    order: Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'desc' }),
  },
  { additionalProperties: false },
);

/** `/v1/model_aliases`: names of the project's own, and the gates that guard them. `results(project)` asks evaluator. */
export function aliasRoutes(app: App, store: Store, results: (project: string) => Results): void {
  app.get(
    '/v1/model_aliases',
    { schema: { querystring: Query, response: { 200: AliasList } } },
    async ({ identity: { project }, query }) => {
      const after = query.after === undefined ? {} : { after: `${project}/${query.after}` };
      const page = store.aliases.list({
        project,
        limit: query.limit,
        order: query.order,
        ...after,
        where: (alias) => alias.model !== null,
      });
      const found = await Promise.all(page.items.map(({ id }) => store.aliases.get(id)));
      return listOf(
        found.flatMap((alias) => (alias ? [aliasView(alias.value)] : [])),
        { has_more: page.has_more },
      );
    },
  );

  app.get('/v1/model_aliases/:name', { schema: { params: Params, response: { 200: AliasObject } } }, async ({ identity, params }) =>
    aliasView(await getAlias(store, identity.project, params.name)),
  );

  app.put(
    '/v1/model_aliases/:name',
    { schema: { params: Params, body: PutAliasBody, response: { 200: AliasObject } } },
    async ({ identity: { project }, params, body }) => aliasView(await putAlias(store, project, params.name, body.model, results(project))),
  );

  app.delete('/v1/model_aliases/:name', { schema: { params: Params, response: { 200: DeletedAlias } } }, async ({ identity, params }) => {
    await deleteAlias(store, identity.project, params.name);
    return { id: params.name, object: 'model_alias' as const, deleted: true };
  });

  app.put(
    '/v1/model_aliases/:name/gate',
    { config: { scope: 'admin' }, schema: { params: Params, body: PutGateBody, response: { 200: GateObject } } },
    async ({ identity, params, body }) => {
      await requireEvals(body.rules, results(identity.project));
      const { gate } = await putGate(store, identity.project, params.name, body.rules);
      return { object: 'model_alias.gate' as const, alias: params.name, rules: gate?.rules ?? [], updated_at: gate?.updated_at ?? 0 };
    },
  );
}
