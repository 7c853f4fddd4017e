import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import { type App, createApp, type Logger, signedObjects } from '@tunefleet/service';
import type { Config } from './config.js';
import { gateResults } from './domain/gate-results.js';
import type { Runs } from './domain/run-owner.js';
import { evalRoutes } from './routes/evals.js';
import { outputItemRoutes } from './routes/output-items.js';
import { runRoutes } from './routes/runs.js';
import type { Store } from './store/records.js';

export interface Parts {
  config: Config;
  logger: Logger;
  bus: Bus;
  objects: ObjectStore;
  store: Store;
  runs: Runs;
}

/** HTTP routes and RPC methods of evaluator on its parts. */
export async function buildApp({ config, logger, bus, objects, store, runs }: Parts): Promise<App> {
  const app = await createApp({
    name: 'evaluator',
    title: 'Tunefleet evaluator',
    config,
    logger,
    checks: { nats: () => bus.connected(), records: () => store.evals.ready() && runs.owner.ready(), objects: () => objects.ready() },
  });
  evalRoutes(app, bus, store, runs);
  runRoutes(app, bus, store, runs);
  outputItemRoutes(app, store, runs);
  signedObjects(app, objects);
  bus.respond('evaluator.get_results', (request) => gateResults(store, request));
  return app;
}
