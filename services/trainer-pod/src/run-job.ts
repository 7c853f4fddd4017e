import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { TrainingClaim } from '@tunefleet/contracts';
import type { Outcome, WorkContext } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import { type Origin, publisher } from './artifacts/publisher.js';
import type { Cache } from './inputs/cache.js';
import { MetricsSent } from './supervision/metrics-sent.js';
import type { ProcessSpec } from './supervision/protocol.js';
import { superviseTraining } from './supervision/supervise.js';

export interface PodParts {
  bus: Bus;
  cache: Cache;
  /** This pod's own folder below TMPDIR. */
  workFolder: string;
  /** Where pid files go, if anywhere. */
  runFolder: string | undefined;
  /** Threads of the engine; part of its identity. */
  threads: number;
  /** Memory that the pod was told it may use; null: not told. */
  memoryBytes: number | null;
  /** What training computes on. */
  provider: NonNullable<ProcessSpec['provider']>;
  /** Snapshots are uploaded this far apart (ms) at least. */
  uploadMs: number;
  /** Revision of the code, for the lineage. */
  code: string;
  /** Bytes of inputs kept for the next job, and as many of compiled graphs. */
  cacheBytes: number;
}

export const engineThreads = (given: number | undefined): number => given ?? availableParallelism();

/** One attempt of one fine-tuning job, from its claim to its outcome. Throws the signal's reason when the work is stopped. */
export async function runJob(
  parts: PodParts,
  claim: { id: string; attempt: number; spec: TrainingClaim },
  context: WorkContext,
): Promise<Outcome> {
  const { bus, workFolder } = parts;
  const { spec, attempt } = claim;
  const { signal } = context;
  const folder = join(workFolder, `${claim.id}-${attempt}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    bus.logger.info({ job: claim.id, attempt, from: spec.snapshot_step }, 'an attempt begins');
    await placeInputs(parts, spec, folder, signal);
    bus.logger.info({ job: claim.id, attempt }, 'its inputs are here');
    const origin: Origin = { engine: null, exact: spec.exact, code: parts.code };
    const metrics = new MetricsSent(context);
    const published = publisher({
      bus,
      claim: spec,
      attempt,
      folder,
      origin,
      signal,
      metricsStored: () => metrics.stored(),
      uploadMs: parts.uploadMs,
      urgent: () => context.wish() !== 'continue',
    });
    return await superviseTraining({ parts, job: claim.id, folder, origin, metrics, published, context });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await parts.cache.trim(parts.cacheBytes);
  }
}

/** Of what the base is made: graphs compiled over it are kept by this. */
const weightsOf = (files: TrainingClaim['base_files']): string =>
  createHash('sha256')
    .update(
      files
        .map(({ path, sha256 }) => `${path} ${sha256}\n`)
        .sort()
        .join(''),
    )
    .digest('hex');

async function placeInputs(
  { cache, threads, memoryBytes, provider, workFolder, cacheBytes }: PodParts,
  spec: TrainingClaim,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await cache.place(spec.base_files, join(folder, 'base'), signal);
  if (spec.adapter_files) await cache.place(spec.adapter_files, join(folder, 'adapter'), signal);
  await cache.place(spec.training_files, join(folder, 'data/train'), signal);
  if (spec.validation_files) await cache.place(spec.validation_files, join(folder, 'data/valid'), signal);
  if (spec.snapshot_files) await cache.place(spec.snapshot_files, join(folder, 'snapshots', String(spec.snapshot_step)), signal);
  const { optimizer } = spec;
  const settings: ProcessSpec = {
    base_name: spec.model,
    adapter: spec.adapter,
    base_precision: spec.base_precision,
    ...(spec.freeze ? { freeze: spec.freeze } : {}),
    memory: spec.memory,
    declared_memory: memoryBytes,
    optimizer: { ...optimizer, betas: [optimizer.betas[0]!, optimizer.betas[1]!] },
    epochs: spec.epochs,
    batch_size: spec.batch_size,
    micro_batch_size: spec.micro_batch_size,
    max_steps: spec.max_steps,
    shuffle: spec.shuffle,
    seed: spec.seed,
    snapshot: spec.snapshot,
    threads,
    provider,
    cache: { folder: join(workFolder, 'graphs'), weights: weightsOf(spec.base_files), bytes: cacheBytes },
    added_tokens: spec.added_tokens ?? [],
    continues: spec.adapter_files !== null,
    validates: spec.validation_files !== null,
    classifies: spec.task === 'classification',
  };
  await writeFile(join(folder, 'spec.json'), JSON.stringify(settings));
}

/** Local snapshots that the pod was never told of go: rows or a checkpoint before them may be missing. */
export async function forgetUnannounced(folder: string, announced: ReadonlySet<number>): Promise<void> {
  const snapshots = join(folder, 'snapshots');
  for (const name of await readdir(snapshots).catch(() => [] as string[]))
    if (!announced.has(Number(name))) await rm(join(snapshots, name), { recursive: true, force: true });
}
