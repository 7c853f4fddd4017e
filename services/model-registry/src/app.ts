import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import { type App, createApp, type Logger, signedObjects } from '@tunefleet/service';
import type { Config } from './config.js';
import type { Results } from './domain/gate.js';
import type { Imports } from './domain/imports/imports.js';
import { resolve } from './domain/resolve.js';
import { putVersion } from './domain/versions.js';
import { aliasRoutes } from './routes/aliases.js';
import { baseModelRoutes } from './routes/base-models.js';
import { exportRoute } from './routes/export.js';
import { modelRoutes } from './routes/models.js';
import type { Store } from './store/records.js';

export interface Parts {
  config: Config;
  logger: Logger;
  bus: Bus;
  objects: ObjectStore;
  store: Store;
  imports: Imports;
}

/** HTTP routes and RPC methods of model-registry on its parts. */
export async function buildApp({ config, logger, bus, objects, store, imports }: Parts): Promise<App> {
  const app = await createApp({
    name: 'model-registry',
    title: 'Tunefleet model-registry',
    config,
    logger,
    checks: {
      nats: () => bus.connected(),
      records: () => store.bases.ready() && store.versions.ready() && store.aliases.ready() && imports.ready(),
      objects: () => objects.ready(),
    },
  });
  const results =
    (project: string): Results =>
    async (evalId, weights) =>
      (await bus.request('evaluator.get_results', { project, eval: evalId, weights_sha256: weights })).results;
  modelRoutes(app, store);
  exportRoute(app, store, objects);
  aliasRoutes(app, store, results);
  baseModelRoutes(app, { bus, store, imports, bucket: config.TUNEFLEET_BUCKET ?? null });
  signedObjects(app, objects);
  bus.respond('model-registry.resolve_model', ({ project, model }) => resolve(store, objects, project, model));
  bus.respond('model-registry.put_version', async (request) => {
    const version = await putVersion(store, request);
    return { id: version.id, weights_sha256: version.manifest.weights_sha256 };
  });
  return app;
}
