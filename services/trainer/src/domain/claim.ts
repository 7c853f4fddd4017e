import { ApiError, LIMITS, type ObjectLink, type TrainingClaim } from '@tunefleet/contracts';
import type { JobRecord } from '../store/job-record.js';
import { addedTokens } from './added-tokens.js';
import { attemptPrefix } from './names.js';
import type { Parts } from './parts.js';

/** Everything a pod needs for one attempt, with fresh links: settings, base, prepared rows, and the newest whole snapshot of any attempt. */
export async function trainingClaim(parts: Parts, job: JobRecord, attempt: number): Promise<TrainingClaim> {
  const { plan, settings, project } = job;
  if (!plan || !settings.task) throw new ApiError('internal_error', `Job ${job.id} was claimed before its files were validated.`);
  const { task, sequence } = settings;
  const model = await parts.bus.request('model-registry.resolve_model', { project, model: job.model.id });
  if (model.weights_sha256 !== job.model.weights_sha256)
    throw new ApiError('internal_error', `The weights of '${job.model.id}' are not those that job ${job.id} began with.`);
  const shards = async (file: string, hash: string): Promise<ObjectLink[]> => {
    const answer = await parts.bus.request(
      'dataset.prepare',
      { project, file, model: job.model.id, task, sequence, ...addedTokens(settings) },
      { timeoutMs: 30_000 },
    );
    if (answer.status !== 'ready') throw new ApiError('service_unavailable', `The rows of ${file} are being prepared again.`);
    if (answer.data.hash !== hash) throw new ApiError('internal_error', `The rows of ${file} are not those that job ${job.id} began with.`);
    return answer.data.files;
  };
  const training_files = await shards(job.training_file, plan.training.hash);
  const validation_files = job.validation_file && plan.validation ? await shards(job.validation_file, plan.validation.hash) : null;
  const snapshot = job.snapshots.at(-1);
  return {
    job: job.id,
    model: job.model.id,
    task,
    adapter: settings.adapter,
    base_precision: settings.base_precision,
    freeze: settings.freeze,
    ...addedTokens(settings),
    memory: settings.memory,
    optimizer: settings.optimizer,
    epochs: plan.n_epochs,
    batch_size: plan.batch_size,
    // Unpacked: no two examples share a pass.
    micro_batch_size: sequence.packing ? settings.micro_batch_size : 1,
    max_steps: settings.max_steps,
    shuffle: settings.shuffle,
    seed: job.seed,
    snapshot: settings.snapshot,
    base_files: model.files,
    adapter_files: model.adapter,
    training_files,
    validation_files,
    snapshot_files: snapshot ? await snapshotLinks(parts, job, snapshot) : null,
    snapshot_step: snapshot?.step ?? 0,
    exact: job.exact,
    prefix: attemptPrefix(job, attempt),
    lineage: lineageOf(job),
  };
}

const snapshotLinks = (parts: Parts, job: JobRecord, snapshot: JobRecord['snapshots'][number]): Promise<ObjectLink[]> =>
  Promise.all(
    snapshot.files.map(async ({ path, bytes, sha256 }) => ({
      path,
      bytes,
      sha256,
      url: await parts.store.sign('GET', `${snapshotPrefix(job, snapshot)}${path}`, LIMITS.signedUrlSeconds),
    })),
  );

export const snapshotPrefix = (job: Pick<JobRecord, 'id' | 'project'>, snapshot: { attempt: number; step: number }): string =>
  `${attemptPrefix(job, snapshot.attempt)}snapshots/${snapshot.step}/`;

/** What the weights depend on, by hash; the pod adds engine and code. */
function lineageOf(job: JobRecord): Record<string, unknown> {
  const { plan, settings } = job;
  const data = (file: string, facts: NonNullable<typeof plan>['training']) => ({
    id: file,
    sha256: facts.file_sha256,
    prepared: facts.hash,
  });
  return {
    job: job.id,
    base: { id: job.model.base, weights_sha256: job.model.base_weights_sha256 },
    parent: { id: job.model.id, weights_sha256: job.model.weights_sha256 },
    training_file: plan && data(job.training_file, plan.training),
    validation_file: plan?.validation && job.validation_file ? data(job.validation_file, plan.validation) : null,
    seed: job.seed,
    settings: { ...settings, batch_size: plan?.batch_size, n_epochs: plan?.n_epochs, steps: plan?.steps },
  };
}
