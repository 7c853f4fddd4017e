import { Readable } from 'node:stream';
import { LIMITS, type TrainingResult } from '@tunefleet/contracts';
import type { JobRecord } from '../store/job-record.js';
import { checkManifest, manifestKey, manifestSha256, readManifest } from './manifests.js';
import { jobPrefix, resultFileId, versionId } from './names.js';
import type { Parts } from './parts.js';
import { resultCsv } from './result-file.js';
import { rowsOf } from './rows.js';

/** What a finished job gains. */
export type Completed = Pick<JobRecord, 'fine_tuned_model' | 'result_file' | 'trained_tokens'>;

/**
 * The effects of a completion, each idempotent, before the job moves to `succeeded`: which completion counts is written down first, then the registry has the
 * version, then dataset has the result file. After a crash at any point, whoever completes again finishes the same one.
 */
export async function completeJob(parts: Parts, id: string, attempt: number, result: TrainingResult): Promise<Completed> {
  const { manifest } = result;
  const before = (await parts.records.get(id))!.value;
  if (!before.completion) await checkManifest(parts, before, attempt, manifest);
  const key = manifestKey(before, attempt, 'result');
  const completion = { attempt, step: manifest.step, manifest_key: key, trained_tokens: result.trained_tokens, created_at: Math.floor(Date.now() / 1000) };
  const { value: job } = await parts.records.update(id, (current) => (current.completion ? null : { ...current, completion }));
  const counted = job.completion ?? completion;
  const published = counted.manifest_key === key ? manifest : await readManifest(parts, counted.manifest_key);
  const version = versionId(job);
  await parts.bus.request('model-registry.put_version', {
    project: job.project,
    id: version,
    base: job.model.base,
    parent: job.model.id,
    created_at: counted.created_at,
    manifest: published,
    manifest_sha256: manifestSha256(published),
  });
  const result_file = await putResultFile(parts, job);
  return { fine_tuned_model: version, result_file, trained_tokens: counted.trained_tokens };
}

async function putResultFile(parts: Parts, job: JobRecord): Promise<string> {
  const id = resultFileId(job);
  const csv = Buffer.from(resultCsv(await rowsOf(parts, job)));
  const key = `${jobPrefix(job)}step_metrics.csv`;
  const { bytes, sha256 } = await parts.store.put(key, Readable.from([csv]));
  await parts.bus.request('dataset.create_result_file', {
    project: job.project,
    id,
    filename: 'step_metrics.csv',
    purpose: 'fine-tune-results',
    source: { path: 'step_metrics.csv', bytes, sha256, url: await parts.store.sign('GET', key, LIMITS.signedUrlSeconds) },
  }, { timeoutMs: 30_000 });
  return id;
}
