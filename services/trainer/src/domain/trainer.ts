import { ApiError, MetricsRow, TrainingResult } from '@tunefleet/contracts';
import { isHeld, openWork, summarize, type WorkOwner } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import { openRecords } from '@tunefleet/records';
import { Value } from 'typebox/value';
import { workQueue } from '../config.js';
import { type JobEntry, JobRecord } from '../store/job-record.js';
import { openMetrics } from '../store/metrics.js';
import { putCheckpoint } from './checkpoints.js';
import { trainingClaim } from './claim.js';
import { completeJob } from './complete.js';
import { foldProgress } from './estimate.js';
import { lifeTexts } from './events.js';
import { requireMemory } from './job-memory.js';
import type { Parts, Trainer } from './parts.js';
import { putProvider } from './provider.js';
import { putSnapshot, signUploads } from './snapshots.js';
import { tidyEnded } from './tidy.js';
import { validateFiles } from './validate-files.js';

/** Progress is written to a job's record this often (ms) at most; metrics have their own store. */
const PROGRESS_MS = 1000;

export interface TrainerOptions {
  bus: Bus;
  store: ObjectStore;
  /** Slots by queue, as users name it. */
  queues: ReadonlyMap<string, number>;
  leaseMs: number;
  /** Bytes that pods were told they may use; null: they are on this machine and may use what it has. */
  podMemory: number | null;
}

/** Opens the records and the durable work of fine-tuning, and answers pods. */
export async function openTrainer({ bus, store, queues, leaseMs, podMemory }: TrainerOptions): Promise<Trainer> {
  const records = await openRecords<JobRecord, JobEntry>(bus, {
    bucket: 'trainer',
    prefix: 'jobs',
    schema: JobRecord,
    project: ({ id, project, created_at, metadata, metrics_archived, work }) => ({
      id,
      project,
      created_at,
      metadata,
      tidy: metrics_archived,
      work: summarize(work),
    }),
  });
  const parts: Parts = { bus, records, store, metrics: await openMetrics(bus) };
  const slots = Object.fromEntries([...queues].map(([name, count]) => [workQueue(name), count]));
  const work: WorkOwner<JobRecord> = await openWork<JobRecord, JobEntry>(bus, {
    service: 'trainer',
    records,
    queues: Object.keys(slots),
    slots,
    texts: lifeTexts,
    leaseMs,
    // Several looks within a lease, or each look would count as the first after a pause.
    reconcileMs: Math.min(1000, leaseMs / 4),
    prepare: async (job) => {
      const planned = await validateFiles(parts, job);
      if (planned) await requireMemory(parts, job, planned, podMemory);
      return planned;
    },
    onClaim: (job, attempt) => trainingClaim(parts, job, attempt),
    onProgress: (job, rows) => takeRows(parts, job, rows),
    onComplete: (job, attempt, result) => completeJob(parts, job, attempt, Value.Parse(TrainingResult, result)),
  });
  const trainer: Trainer = { ...parts, work };
  bus.respond('trainer.sign', (body) => signUploads(trainer, body));
  bus.respond('trainer.put_snapshot', async (body) => {
    await putSnapshot(trainer, body);
    return {};
  });
  bus.respond('trainer.put_provider', async (body) => {
    await putProvider(trainer, body);
    return {};
  });
  bus.respond('trainer.put_checkpoint', async (body) => {
    await putCheckpoint(trainer, body);
    return {};
  });
  // What a job waits for has happened, perhaps: ask.
  bus.on('dataset.*', () => work.kick());
  tidyEnded(trainer);
  return trainer;
}

async function takeRows(parts: Parts, job: JobRecord, rows: unknown[]): Promise<void> {
  const now = Date.now();
  const checked = rows.map((row) => {
    if (!Value.Check(MetricsRow, row)) throw new ApiError('invalid_value', 'A row of metrics does not match its schema.');
    return row;
  });
  await parts.metrics.put(job.id, checked, now);
  const step = Math.max(0, ...checked.map((row) => row.step));
  if (job.progress && now - job.progress.at < PROGRESS_MS) return;
  await parts.records.update(job.id, (current) =>
    isHeld(current.work.state) ? { ...current, progress: foldProgress(current.progress, step, now) } : null,
  );
}
