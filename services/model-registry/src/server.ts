import { connect } from '@tunefleet/messaging';
import { objectStoreFromConfig } from '@tunefleet/object-store';
import { createLogger, readConfig, runService } from '@tunefleet/service';
import { buildApp } from './app.js';
import { Config } from './config.js';
import { registerBundled } from './domain/bundled.js';
import { openStore } from './store/records.js';

const config = readConfig(Config);
const logger = createLogger('model-registry', config.LOG_LEVEL);
const bus = await connect({ url: config.NATS_URL, creds: config.NATS_CREDS, name: 'model-registry', logger });
// signed URLs name the address that the system gave, where PORT is 0
let url = `http://${config.HOST}:${config.PORT}`;
const objects = await objectStoreFromConfig(config, config.TUNEFLEET_IDENTITY_KEY, () => url);
const store = await openStore(bus);
if (config.TUNEFLEET_BASE_MODELS) await registerBundled(config.TUNEFLEET_BASE_MODELS, objects, store.bases, logger);
const app = await buildApp({ config, logger, bus, objects, store });
({ url } = await runService({
  name: 'model-registry',
  config,
  logger,
  app,
  phases: [{ name: 'messaging', seconds: 5, run: () => bus.drain() }],
}));
