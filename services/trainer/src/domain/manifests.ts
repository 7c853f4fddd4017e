import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { ApiError, type ArtifactManifest } from '@tunefleet/contracts';
import type { JobRecord } from '../store/job-record.js';
import { attemptPrefix } from './names.js';
import type { Parts } from './parts.js';

export const manifestSha256 = (manifest: ArtifactManifest): string => createHash('sha256').update(JSON.stringify(manifest)).digest('hex');

/** Object key of the manifest that a pod wrote last: beside the files it names. */
export const manifestKey = (job: JobRecord, attempt: number, under: string): string =>
  `${attemptPrefix(job, attempt)}${under}/manifest.json`;

export async function readManifest({ store }: Parts, key: string): Promise<ArtifactManifest> {
  return JSON.parse(await text(await store.get(key))) as ArtifactManifest;
}

/** Holds a manifest against what is stored: of this job and attempt, every file below its prefix and of the size it says. Throws `invalid_value`. */
export async function checkManifest({ store }: Parts, job: JobRecord, attempt: number, manifest: ArtifactManifest): Promise<void> {
  const prefix = attemptPrefix(job, attempt);
  const refuse = (what: string): never => {
    throw new ApiError('invalid_value', `The manifest of job ${job.id} ${what}.`, { param: 'manifest' });
  };
  if (manifest.job !== job.id || manifest.attempt !== attempt) refuse('belongs to another attempt');
  for (const file of manifest.files) {
    if (!file.key.startsWith(prefix)) refuse(`names ${file.key}, outside its attempt`);
    if ((await store.head(file.key))?.bytes !== file.bytes) refuse(`names ${file.path} of ${file.bytes} bytes, which is not stored`);
  }
}
