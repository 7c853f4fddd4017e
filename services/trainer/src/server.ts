import { connect } from '@tunefleet/messaging';
import { objectStoreFromConfig } from '@tunefleet/object-store';
import { createLogger, readConfig, runService } from '@tunefleet/service';
import { trainerApp } from './app.js';
import { Config, queuesOf } from './config.js';
import { openTrainer } from './domain/trainer.js';

const config = readConfig(Config);
const logger = createLogger('trainer', config.LOG_LEVEL);
const bus = await connect({ url: config.NATS_URL, creds: config.NATS_CREDS, name: 'trainer', logger });
let url = `http://${config.HOST}:${config.PORT}`;
const store = await objectStoreFromConfig(config, config.TUNEFLEET_IDENTITY_KEY, () => url);
const trainer = await openTrainer({
  bus,
  store,
  queues: queuesOf(config),
  leaseMs: config.TUNEFLEET_LEASE_MS,
  podMemory: config.TUNEFLEET_POD_MEMORY_BYTES ?? null,
});
const app = await trainerApp({ config, logger, store, trainer });
({ url } = await runService({
  name: 'trainer',
  config,
  logger,
  app,
  phases: [
    { name: 'work', seconds: 10, run: () => trainer.work.drain() },
    { name: 'messaging', seconds: 5, run: () => bus.drain() },
  ],
}));
