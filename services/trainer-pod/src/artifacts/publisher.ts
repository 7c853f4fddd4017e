import { link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactManifest, TrainingClaim } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import type { ChosenProvider } from '@tunefleet/training-core';
import { insist } from '../supervision/insist.js';
import type { EngineIdentity, FromTraining } from '../supervision/protocol.js';
import { artifactManifest } from './manifest.js';
import { uploader } from './uploader.js';

type Message<T extends FromTraining['type']> = Extract<FromTraining, { type: T }>;

/** What the run's artifacts say of their origin; `exact` turns false for good at the first resume on another engine. */
export interface Origin {
  engine: EngineIdentity | null;
  exact: boolean;
  code: string;
}

export interface Publisher {
  provider(computes: ChosenProvider): void;
  checkpoint(message: Message<'checkpoint'>): void;
  snapshot(message: Message<'snapshot'>): void;
  /** Resolves when everything handed in before is published. Rejects when the trainer refused or the work was stopped. */
  settled(): Promise<void>;
  /** Called when `settled` will reject: training on is pointless. */
  onFault(callback: () => void): void;
  finish(message: Message<'finished'>): Promise<ArtifactManifest>;
}

/**
 * Publishes what a training process wrote, in its order: rows of metrics first, then the checkpoint of a step, then its snapshot. So nothing that a later
 * attempt would skip over is missing when it goes on from that snapshot.
 */
export function publisher(options: {
  bus: Bus;
  claim: TrainingClaim;
  attempt: number;
  folder: string;
  origin: Origin;
  signal: AbortSignal;
  /** Metrics reported so far are stored. */
  metricsStored: () => Promise<void>;
  /** Snapshots that follow sooner (ms) on an uploaded one stay local, unless it is `urgent`: the work is about to be given back. */
  uploadMs: number;
  urgent: () => boolean;
}): Publisher {
  const { bus, claim, attempt, folder, origin, signal } = options;
  const holder = { id: claim.job, attempt };
  const again = (error: unknown) => bus.logger.warn({ err: error, job: claim.job }, 'publishing an artifact is tried again');
  const insisting = <T>(run: () => Promise<T>): Promise<T> => insist(run, signal, again);
  const uploads = uploader((put) => insisting(() => bus.request('trainer.sign', { ...holder, put })), folder);
  let queue: Promise<void> = Promise.resolve();
  /** Newest step taken up for upload, and when. */
  let newest = -1;
  let taken = Number.NEGATIVE_INFINITY;
  let faulted: () => void = () => undefined;

  function enqueue(task: () => Promise<void>): void {
    queue = queue.then(task);
    queue.catch(() => faulted()); // thrown by settled()
  }

  async function publish(kind: 'version' | 'checkpoint', message: Message<'checkpoint'> | Message<'finished'>): Promise<ArtifactManifest> {
    const under = kind === 'version' ? 'result' : `checkpoints/${message.step}`;
    const files = await insisting(() => uploads.folder(message.folder, under, signal));
    if (!origin.engine) throw new Error('A training process publishes before it has started');
    const artifact = { kind, step: message.step, under, files, weights_sha256: message.weights_sha256 };
    const manifest = artifactManifest(claim, attempt, artifact, { ...origin, engine: origin.engine });
    await insisting(() => uploads.json(manifest, `${under}/manifest.json`, signal));
    return manifest;
  }

  /** Hard links: the training process prunes its own folder while we read. */
  async function hold(from: string, step: number): Promise<string> {
    const held = join(folder, 'held', String(step));
    await rm(held, { recursive: true, force: true });
    await mkdir(held, { recursive: true });
    for (const name of await readdir(from)) await link(join(from, name), join(held, name));
    return held;
  }

  return {
    provider(computes) {
      enqueue(async () => {
        await insisting(() =>
          bus.request('trainer.put_provider', { ...holder, provider: computes.provider, reason: computes.reason.slice(0, 1000) }),
        );
      });
    },
    checkpoint(message) {
      enqueue(async () => {
        await options.metricsStored();
        const manifest = await publish('checkpoint', message);
        const { step, skipped: _skipped, ...metrics } = message.metrics;
        await insisting(() => bus.request('trainer.put_checkpoint', { ...holder, step, epoch: message.epoch, metrics, manifest }));
        await rm(message.folder, { recursive: true, force: true });
      });
    },
    snapshot({ step, folder: from }) {
      // Told of again: a pause at the step of a regular snapshot, or steps repeated after a restart. The bytes are the same.
      if (step <= newest) return;
      const now = performance.now();
      if (!options.urgent() && now - taken < options.uploadMs) return;
      taken = now;
      newest = step;
      const holding = hold(from, step).catch((error: unknown) => {
        bus.logger.info({ err: error, job: claim.job, step }, 'a snapshot was pruned before it could be held; a newer one follows');
        // The same step may be told of again: a pause writes its snapshot anew.
        if (newest === step) newest = step - 1;
        taken = Number.NEGATIVE_INFINITY;
        return null;
      });
      enqueue(async () => {
        const held = await holding;
        if (held === null) return;
        // Only the newest is worth its bytes.
        if (step === newest) {
          await options.metricsStored();
          const files = await insisting(() => uploads.folder(held, `snapshots/${step}`, signal));
          await insisting(() => bus.request('trainer.put_snapshot', { ...holder, step, exact: origin.exact, files }));
        }
        await rm(held, { recursive: true, force: true });
      });
    },
    onFault(callback) {
      faulted = callback;
    },
    settled: () => queue,
    finish: (message) => publish('version', message),
  };
}
