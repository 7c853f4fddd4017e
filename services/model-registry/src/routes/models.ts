import { ApiError, DeletedModel, ModelList, ModelObject } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import { BUNDLED } from '../domain/bundled.js';
import { find } from '../domain/resolve.js';
import { deleteVersion } from '../domain/versions.js';
import { baseView, versionView } from '../domain/views.js';
import type { Store } from '../store/records.js';

const Params = Type.Object({ model: Type.String() });

/** `GET /v1/models`, `GET` and `DELETE /v1/models/{model}`. Ids hold colons and escaped slashes. */
export function modelRoutes(app: App, store: Store): void {
  app.get('/v1/models', { schema: { response: { 200: ModelList } } }, async ({ identity: { project } }) => {
    const bases = [...store.bases.all()].filter((b) => b.project === project || b.project === BUNDLED);
    const versions = [...store.versions.all()].filter((v) => v.project === project && v.kind === 'version');
    const read = async (ids: { id: string }[], kind: 'bases' | 'versions'): Promise<(ModelObject | null)[]> =>
      Promise.all(
        ids.map(async ({ id }) => {
          if (kind === 'bases') {
            const base = await store.bases.get(id);
            return base && baseView(store, project, base.value);
          }
          const version = await store.versions.get(id);
          return version && versionView(store, version.value);
        }),
      );
    const all = [...(await read(bases, 'bases')), ...(await read(versions, 'versions'))].filter((m) => m !== null);
    return { object: 'list' as const, data: all.sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1)) };
  });

  app.get(
    '/v1/models/:model',
    { schema: { params: Params, response: { 200: ModelObject } } },
    async ({ identity: { project }, params }) => {
      const { base, version } = await find(store, project, params.model);
      return version ? versionView(store, version) : baseView(store, project, base);
    },
  );

  app.delete(
    '/v1/models/:model',
    { schema: { params: Params, response: { 200: DeletedModel } } },
    async ({ identity: { project }, params }) => {
      const { base, version } = await find(store, project, params.model);
      if (!version || version.id !== params.model) {
        throw new ApiError(
          'invalid_value',
          version
            ? `'${params.model}' is an alias of '${version.id}'; delete it with DELETE /v1/model_aliases/${params.model}.`
            : `'${base.name}' is a base model; DELETE /v1/base_models/${base.name} deletes one of this project's own.`,
          { param: 'model' },
        );
      }
      await deleteVersion(store, version);
      return { id: version.id, object: 'model' as const, deleted: true };
    },
  );
}
