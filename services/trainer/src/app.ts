import type { ObjectStore } from '@tunefleet/object-store';
import { type App, createApp, type Logger, signedObjects } from '@tunefleet/service';
import { type Config, queuesOf } from './config.js';
import type { Trainer } from './domain/parts.js';
import { createJobRoute } from './routes/create-job.js';
import { estimateJobRoute } from './routes/estimate-job.js';
import { getJobRoute } from './routes/get-job.js';
import { jobMetricsRoute } from './routes/job-metrics.js';
import { listCheckpointsRoute } from './routes/list-checkpoints.js';
import { listEventsRoute } from './routes/list-events.js';
import { listJobsRoute } from './routes/list-jobs.js';
import { moveJobRoutes } from './routes/move-job.js';

export interface AppParts {
  config: Pick<Config, 'TUNEFLEET_IDENTITY_KEY' | 'TUNEFLEET_TRAIN_QUEUES' | 'TUNEFLEET_POD_MEMORY_BYTES'>;
  logger: Logger;
  store: ObjectStore;
  trainer: Trainer;
  /** Tests: hold answers against their schemas. */
  checkResponses?: boolean;
}

/** The trainer's HTTP application: fine-tuning jobs, and on a folder store the signed URLs of their objects. */
export async function trainerApp({ config, logger, store, trainer, checkResponses = false }: AppParts): Promise<App> {
  const checks = {
    nats: () => trainer.bus.connected(),
    records: () => trainer.records.ready() && trainer.work.ready(),
    objects: () => store.ready(),
  };
  const app = await createApp({ name: 'trainer', title: 'Tunefleet trainer', config, logger, checks, checkResponses });
  createJobRoute(app, trainer, queuesOf(config));
  estimateJobRoute(app, trainer, config.TUNEFLEET_POD_MEMORY_BYTES ?? null);
  listJobsRoute(app, trainer);
  getJobRoute(app, trainer);
  moveJobRoutes(app, trainer);
  listEventsRoute(app, trainer);
  listCheckpointsRoute(app, trainer);
  jobMetricsRoute(app, trainer);
  signedObjects(app, store);
  return app;
}
