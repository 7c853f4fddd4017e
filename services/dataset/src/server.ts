import { rm } from 'node:fs/promises';
import { connect } from '@tunefleet/messaging';
import { objectStoreFromConfig } from '@tunefleet/object-store';
import { createLogger, openScratch, readConfig, runService } from '@tunefleet/service';
import { buildApp } from './app.js';
import { Config } from './config.js';
import { sweep } from './domain/sweep.js';
import { openTasks, startTasks } from './domain/work.js';
import { openStore } from './store/records.js';

const SWEEP_MS = 15_000;

const config = readConfig(Config);
const logger = createLogger('dataset', config.LOG_LEVEL);
const bus = await connect({ url: config.NATS_URL, creds: config.NATS_CREDS, name: 'dataset', logger, instance: config.TUNEFLEET_INSTANCE });
let url = `http://${config.HOST}:${config.PORT}`;
const objects = await objectStoreFromConfig(config, config.TUNEFLEET_IDENTITY_KEY, () => url);
const store = await openStore(bus);
const work = await openTasks({ bus, store, logger }, config.TUNEFLEET_LEASE_MS);
const scratch = await openScratch('dataset');
const parts = { bus, objects, store, logger, work, scratch };
const app = await buildApp(config, parts);

const draining = new AbortController();
async function sweepForEver(): Promise<void> {
  await objects.sweep().catch((err: unknown) => logger.warn({ err }, 'sweep of the object store failed'));
  while (!draining.signal.aborted) {
    await sweep(parts).catch((err: unknown) => logger.warn({ err }, 'sweep failed'));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, SWEEP_MS);
      draining.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

const workers = startTasks(parts, config.TUNEFLEET_LEASE_MS / 3);
const sweeping = sweepForEver();
({ url } = await runService({
  name: 'dataset',
  config,
  logger,
  app,
  phases: [
    { name: 'workers', seconds: 5, run: async () => void (await Promise.all(workers.map((worker) => worker.drain()))) },
    {
      name: 'sweeper',
      seconds: 5,
      run: async () => {
        draining.abort();
        await sweeping;
      },
    },
    { name: 'owner', seconds: 5, run: () => work.drain() },
    { name: 'messaging', seconds: 5, run: () => bus.drain() },
    { name: 'scratch', seconds: 2, run: () => rm(scratch, { recursive: true, force: true }) },
  ],
}));
