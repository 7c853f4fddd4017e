import { connect } from '@tunefleet/messaging';
import { objectStoreFromConfig } from '@tunefleet/object-store';
import { createLogger, readConfig, runService } from '@tunefleet/service';
import { buildApp } from './app.js';
import { Config } from './config.js';
import { openRuns } from './domain/run-owner.js';
import { openStore } from './store/records.js';

const config = readConfig(Config);
const logger = createLogger('evaluator', config.LOG_LEVEL);
const bus = await connect({
  url: config.NATS_URL,
  creds: config.NATS_CREDS,
  name: 'evaluator',
  logger,
  instance: config.TUNEFLEET_INSTANCE,
});
// signed URLs name the address that the system gave, where PORT is 0
let url = `http://${config.HOST}:${config.PORT}`;
const objects = await objectStoreFromConfig(config, config.TUNEFLEET_IDENTITY_KEY, () => url);
const store = await openStore(bus);
const runs = await openRuns(bus, objects, store, config.TUNEFLEET_CONCURRENT_RUNS);
const app = await buildApp({ config, logger, bus, objects, store, runs });
({ url } = await runService({
  name: 'evaluator',
  config,
  logger,
  app,
  phases: [
    { name: 'runs', seconds: 10, run: () => runs.drain() },
    { name: 'messaging', seconds: 5, run: () => bus.drain() },
  ],
}));
