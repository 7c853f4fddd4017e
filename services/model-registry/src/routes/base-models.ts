import { ApiError, BaseModelList, BaseModelObject, CreateBaseModelBody, DeletedBaseModel, mintId } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { createOnce } from '@tunefleet/records';
import { type App, onceRequest } from '@tunefleet/service';
import { Type } from 'typebox';
import { baseModels, findBaseModel } from '../domain/imports/base-models.js';
import { checkSource } from '../domain/imports/check-source.js';
import { type Imports, importId } from '../domain/imports/imports.js';
import { requireUnused } from '../domain/imports/in-use.js';
import { importView } from '../domain/views.js';
import type { Store } from '../store/records.js';

const Params = Type.Object({ name: Type.String() });

export interface BaseModelParts {
  bus: Bus;
  store: Store;
  imports: Imports;
  /** Name of the fleet's bucket; null where objects lie in a folder. */
  bucket: string | null;
}

/** `/v1/base_models`: bases of the project's own, and those that came with the fleet. */
export function baseModelRoutes(app: App, { bus, store, imports, bucket }: BaseModelParts): void {
  app.post(
    '/v1/base_models',
    { schema: { body: CreateBaseModelBody, response: { 200: BaseModelObject, 201: BaseModelObject } } },
    async (request, reply) => {
      const { body, identity } = request;
      await checkSource(bus, identity.project, body, bucket);
      let first = false;
      const record = await createOnce(
        bus,
        onceRequest(request),
        () => mintId('baseModel'),
        async (id, fresh) => {
          first = fresh;
          return imports.create(identity.project, id, body);
        },
      );
      return reply.code(first ? 201 : 200).send(importView(record));
    },
  );

  app.get('/v1/base_models', { schema: { response: { 200: BaseModelList } } }, async ({ identity: { project } }) => ({
    object: 'list' as const,
    data: await baseModels(store, project),
    has_more: false,
  }));

  app.get('/v1/base_models/:name', { schema: { params: Params, response: { 200: BaseModelObject } } }, ({ identity, params }) =>
    findBaseModel(store, identity.project, params.name),
  );

  app.delete(
    '/v1/base_models/:name',
    { schema: { params: Params, response: { 200: DeletedBaseModel } } },
    async ({ identity: { project }, params: { name } }) => {
      // Also one whose deletion broke off.
      const record = (await store.imports.get(importId(project, name)))?.value;
      if (!record) {
        await findBaseModel(store, project, name);
        throw new ApiError('invalid_value', `'${name}' came with this fleet; it cannot be deleted.`, { param: 'name' });
      }
      requireUnused(store, project, name);
      await imports.remove(record);
      return { id: name, object: 'base_model' as const, deleted: true };
    },
  );
}
