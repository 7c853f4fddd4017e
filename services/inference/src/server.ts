import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@tunefleet/messaging';
import { createLogger, readConfig, runService } from '@tunefleet/service';
import { buildApp } from './app.js';
import { Config } from './config.js';
import { Folders } from './domain/folders.js';
import { Models } from './domain/models.js';

const config = readConfig(Config);
const logger = createLogger('inference', config.LOG_LEVEL);
const cache = await mkdtemp(join(tmpdir(), 'tunefleet-inference-'));
const bus = await connect({ url: config.NATS_URL, creds: config.NATS_CREDS, name: 'inference', logger });
const models = new Models(bus, new Folders(cache), config.TUNEFLEET_MODELS_IN_MEMORY, config.TUNEFLEET_INFERENCE_THREADS, logger);
const app = await buildApp({ config, logger, bus, models, fingerprint: `tunefleet-${process.versions.node}` });
await runService({
  name: 'inference',
  config,
  logger,
  app,
  phases: [
    { name: 'messaging', seconds: 5, run: () => bus.drain() },
    { name: 'models', seconds: 5, run: () => models.close() },
    { name: 'cache', seconds: 5, run: () => rm(cache, { recursive: true, force: true }) },
  ],
});
