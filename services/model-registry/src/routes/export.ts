import type { ObjectStore } from '@tunefleet/object-store';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import { EXPORT_FORMATS, exportModel } from '../domain/export.js';
import type { Store } from '../store/records.js';

const schema = {
  params: Type.Object({ model: Type.String() }),
  querystring: Type.Object({ format: Type.Enum(EXPORT_FORMATS) }, { additionalProperties: false }),
};

/** `GET /v1/models/{model}/export?format=`: the model as a tar stream. */
export function exportRoute(app: App, store: Store, objects: ObjectStore): void {
  app.get('/v1/models/:model/export', { schema }, async ({ identity: { project }, params: { model }, query: { format } }, reply) => {
    const name = encodeURIComponent(`${model.replaceAll(/[:/]/g, '-')}-${format}.tar`);
    const stream = await exportModel(store, objects, project, model, format);
    return reply.type('application/x-tar').header('content-disposition', `attachment; filename*=UTF-8''${name}`).send(stream);
  });
}
