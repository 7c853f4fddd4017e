import { join } from 'node:path';
import type { TrainingClaim } from '@tunefleet/contracts';
import { startWorker } from '@tunefleet/jobs';
import { connect } from '@tunefleet/messaging';
import { createApp, createLogger, readConfig, runService } from '@tunefleet/service';
import { Config, workQueue } from './config.js';
import { openCache } from './inputs/cache.js';
import { openWorkFolder, removeWorkFolder } from './inputs/work-folder.js';
import { engineThreads, type PodParts, runJob } from './run-job.js';
import { removeStalePidFiles } from './supervision/pid-file.js';
import { exitCodeOf } from './supervision/supervise.js';

const config = readConfig(Config);
const logger = createLogger('trainer-pod', config.LOG_LEVEL);
const bus = await connect({
  url: config.NATS_URL,
  creds: config.NATS_CREDS,
  name: 'trainer-pod',
  logger,
  instance: config.TUNEFLEET_INSTANCE,
});
const workFolder = await openWorkFolder();
await removeStalePidFiles(config.TUNEFLEET_RUN_DIR);
const parts: PodParts = {
  bus,
  workFolder,
  cache: openCache(join(workFolder, 'cache')),
  uploadMs: config.TUNEFLEET_SNAPSHOT_UPLOAD_MS,
  cacheBytes: config.TUNEFLEET_POD_CACHE_BYTES,
  runFolder: config.TUNEFLEET_RUN_DIR,
  threads: engineThreads(config.TUNEFLEET_ENGINE_THREADS),
  memoryBytes: config.TUNEFLEET_POD_MEMORY_BYTES ?? null,
  provider: config.TUNEFLEET_ENGINE_PROVIDER,
  code: config.TUNEFLEET_REVISION,
};
const worker = startWorker(bus, {
  owner: 'trainer',
  queue: workQueue(config.TUNEFLEET_TRAIN_QUEUE),
  heartbeatMs: config.TUNEFLEET_HEARTBEAT_MS,
  run: (claim, context) => runJob(parts, { ...claim, spec: claim.spec as TrainingClaim }, context),
  ...(config.TUNEFLEET_JOB_ID === undefined ? {} : { only: config.TUNEFLEET_JOB_ID }),
});

const app = await createApp({
  name: 'trainer-pod',
  title: 'Tunefleet trainer pod',
  config,
  logger,
  checks: { nats: () => bus.connected() },
});

/** A pod for one job ends with what became of it, however it ends. */
async function exitWithOutcome(): Promise<never> {
  const outcome = await worker.stopped;
  const code = exitCodeOf(outcome);
  logger.info({ job: config.TUNEFLEET_JOB_ID, outcome: outcome?.type ?? 'none', code }, 'the only job of this pod has ended');
  await removeWorkFolder(workFolder);
  await bus.drain();
  process.exit(code);
}
const single = config.TUNEFLEET_JOB_ID !== undefined;

async function drainWork(): Promise<void> {
  await worker.drain();
  if (single) await exitWithOutcome();
}

// A snapshot, its upload, and what the trainer writes of it.
const DRAIN_SECONDS = 60;
const phases = [
  { name: 'work', seconds: DRAIN_SECONDS, run: drainWork },
  { name: 'folder', seconds: 5, run: () => removeWorkFolder(workFolder) },
  { name: 'messaging', seconds: 5, run: () => bus.drain() },
];
await runService({ name: 'trainer-pod', config, logger, app, phases });
if (single) await exitWithOutcome();
