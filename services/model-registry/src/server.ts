import { rm } from 'node:fs/promises';
import { connect } from '@tunefleet/messaging';
import { objectStoreFromConfig } from '@tunefleet/object-store';
import { createLogger, openScratch, readConfig, runService } from '@tunefleet/service';
import { buildApp } from './app.js';
import { Config } from './config.js';
import { registerBundled } from './domain/bundled.js';
import { openHub } from './domain/imports/hub.js';
import { openImports } from './domain/imports/imports.js';
import { openStore } from './store/records.js';

const config = readConfig(Config);
const logger = createLogger('model-registry', config.LOG_LEVEL);
const bus = await connect({
  url: config.NATS_URL,
  creds: config.NATS_CREDS,
  name: 'model-registry',
  logger,
  instance: config.TUNEFLEET_INSTANCE,
});
// signed URLs name the address that the system gave, where PORT is 0
let url = `http://${config.HOST}:${config.PORT}`;
const objects = await objectStoreFromConfig(config, config.TUNEFLEET_IDENTITY_KEY, () => url);
const store = await openStore(bus);
if (config.TUNEFLEET_BASE_MODELS) await registerBundled(config.TUNEFLEET_BASE_MODELS, objects, store.bases, logger);
const scratch = await openScratch('model-registry');
const hub = openHub(config.TUNEFLEET_HF_ENDPOINT);
const imports = await openImports({ bus, objects, store, hub, scratch, leaseMs: config.TUNEFLEET_LEASE_MS });
const app = await buildApp({ config, logger, bus, objects, store, imports });
await imports.sweep().catch((err: unknown) => logger.warn({ err }, 'the sweep of imports failed'));
({ url } = await runService({
  name: 'model-registry',
  config,
  logger,
  app,
  phases: [
    { name: 'imports', seconds: 10, run: () => imports.drain() },
    { name: 'messaging', seconds: 5, run: () => bus.drain() },
    { name: 'scratch', seconds: 5, run: () => rm(scratch, { recursive: true, force: true }) },
  ],
}));
