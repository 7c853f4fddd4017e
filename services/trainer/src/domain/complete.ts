import { Readable } from 'node:stream';
import { LIMITS, type TrainingResult } from '@tunefleet/contracts';
import type { JobRecord } from '../store/job-record.js';
import { checkManifest, manifestKey, manifestSha256 } from './manifests.js';
import { jobPrefix, resultFileId, versionId } from './names.js';
import type { Parts } from './parts.js';
import { resultCsv } from './result-file.js';
import { rowsOf } from './rows.js';

/** What a finished job gains. */
export type Completed = Pick<JobRecord, 'fine_tuned_model' | 'result_file' | 'trained_tokens' | 'manifest_key'>;

const EFFECT_MS = 30_000;

/**
 * The effects of a completion, each idempotent, before the job moves to `succeeded`: the registry has the version, then dataset has the result file.
 * `libs/jobs` has written down which result counts, and runs this until it returns.
 */
export async function completeJob(parts: Parts, job: JobRecord, attempt: number, result: TrainingResult): Promise<Completed> {
  const { manifest, trained_tokens } = result;
  await checkManifest(parts, job, attempt, manifest);
  const version = versionId(job);
  await parts.bus.request(
    'model-registry.put_version',
    {
      project: job.project,
      id: version,
      base: job.model.base,
      parent: job.model.id,
      created_at: Math.floor(Date.now() / 1000),
      manifest,
      manifest_sha256: manifestSha256(manifest),
    },
    { timeoutMs: EFFECT_MS },
  );
  const result_file = await putResultFile(parts, job);
  return { fine_tuned_model: version, result_file, trained_tokens, manifest_key: manifestKey(job, attempt, 'result') };
}

async function putResultFile(parts: Parts, job: JobRecord): Promise<string> {
  const { project } = job;
  const id = resultFileId(job);
  const filename = 'step_metrics.csv';
  const key = `${jobPrefix(job)}${filename}`;
  const { bytes, sha256 } = await parts.store.put(key, Readable.from([Buffer.from(resultCsv(await rowsOf(parts, job)))]));
  const url = await parts.store.sign('GET', key, LIMITS.signedUrlSeconds);
  const source = { path: filename, bytes, sha256, url };
  await parts.bus.request(
    'dataset.create_result_file',
    { project, id, filename, purpose: 'fine-tune-results', source },
    { timeoutMs: EFFECT_MS },
  );
  return id;
}
