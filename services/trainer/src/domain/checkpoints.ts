import type { RpcRequest } from '@tunefleet/contracts';
import { addEvent } from '@tunefleet/jobs';
import type { Checkpoint, JobRecord } from '../store/job-record.js';
import { checkpointEvent, EVENT } from './events.js';
import { checkManifest, manifestKey, manifestSha256, readManifest } from './manifests.js';
import { checkpointModelId } from './names.js';
import type { Trainer } from './parts.js';

/**
 * A checkpoint at an epoch's end becomes a model. The first report of a step is written down before the registry hears of it, so that whoever reports the
 * step again (this attempt after a crash of ours, or a later one) finishes that one and never makes a second.
 */
export async function putCheckpoint(trainer: Trainer, request: RpcRequest<'trainer.put_checkpoint'>): Promise<void> {
  const { id, attempt, step, epoch, manifest } = request;
  const { records, work, bus } = trainer;
  const before = await work.heldBy(id, attempt);
  if (before.checkpoints.some((known) => known.step === step && known.registered)) return;
  await checkManifest(trainer, before, attempt, manifest);
  const key = manifestKey(before, attempt, `checkpoints/${step}`);
  const created_at = Math.floor(Date.now() / 1000);
  const entry: Checkpoint = { step, epoch, created_at, metrics: checkpointMetrics(request.metrics), manifest_key: key, registered: false };
  const job = await work.updateHeld(id, attempt, (current) =>
    current.checkpoints.some((known) => known.step === step) ? null : { ...current, checkpoints: [...current.checkpoints, entry] },
  );
  const first = job.checkpoints.find((known) => known.step === step) ?? entry;
  const counted = first.manifest_key === key ? manifest : await readManifest(trainer, first.manifest_key);
  await bus.request('model-registry.put_version', {
    project: job.project,
    id: checkpointModelId(job, step),
    base: job.model.base,
    parent: job.model.id,
    created_at: first.created_at,
    manifest: counted,
    manifest_sha256: manifestSha256(counted),
  });
  await records.update(id, (current) => registered(current, step));
}

function registered(job: JobRecord, step: number): JobRecord | null {
  if (job.checkpoints.some((known) => known.step === step && known.registered)) return null;
  const checkpoints = job.checkpoints.map((known) => (known.step === step ? { ...known, registered: true } : known));
  return addEvent({ ...job, checkpoints }, checkpointEvent(step), { message: EVENT.checkpoint(step) });
}

/** Figures under OpenAI's names. Validation runs over the whole file, so the full figures are the same ones. */
function checkpointMetrics(metrics: Record<string, number>): Record<string, number> {
  const { train_loss, train_accuracy, valid_loss, valid_accuracy } = metrics;
  const named = {
    train_loss,
    train_mean_token_accuracy: train_accuracy,
    valid_loss,
    valid_mean_token_accuracy: valid_accuracy,
    full_valid_loss: valid_loss,
    full_valid_mean_token_accuracy: valid_accuracy,
  };
  return Object.fromEntries(Object.entries(named).filter((entry): entry is [string, number] => entry[1] !== undefined));
}
