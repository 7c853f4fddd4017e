import { LIMITS } from '@tunefleet/contracts';
import { type App, createApp, signedObjects } from '@tunefleet/service';
import type { Config } from './config.js';
import { fileSummary, findFile } from './domain/files.js';
import type { Parts } from './domain/parts.js';
import { prepareFile } from './domain/prepare.js';
import { createResultFile } from './domain/result-file.js';
import { createFileRoute } from './routes/create-file.js';
import { deleteFileRoute } from './routes/delete-file.js';
import { fileContentRoute } from './routes/file-content.js';
import { fileValidationRoute } from './routes/file-validation.js';
import { listFilesRoute } from './routes/list-files.js';
import { retrieveFileRoute } from './routes/retrieve-file.js';

/** HTTP routes and RPC methods of dataset on its parts. */
export async function buildApp(config: Config, parts: Parts): Promise<App> {
  const { bus, store, objects, work, logger } = parts;
  const app = await createApp({
    name: 'dataset',
    title: 'Tunefleet dataset',
    config,
    logger,
    checks: { nats: () => bus.connected(), records: () => store.ready() && work.ready(), objects: () => objects.ready() },
  });
  await createFileRoute(app, parts);
  listFilesRoute(app, parts);
  retrieveFileRoute(app, parts);
  fileContentRoute(app, parts);
  deleteFileRoute(app, parts);
  fileValidationRoute(app, parts);
  signedObjects(app, objects);

  bus.respond('dataset.get_file', async ({ project, id }) => fileSummary(await findFile(store, project, id)));
  bus.respond('dataset.get_content', async ({ project, id }) => {
    const { filename, bytes, sha256, key } = await findFile(store, project, id);
    return { path: filename, bytes, sha256, url: await objects.sign('GET', key, LIMITS.signedUrlSeconds) };
  });
  bus.respond('dataset.prepare', (request) => prepareFile(parts, request));
  bus.respond('dataset.create_result_file', (request) => createResultFile(parts, request));
  return app;
}
