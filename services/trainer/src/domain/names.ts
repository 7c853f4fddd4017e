import { createHash } from 'node:crypto';
import { deriveId, idSuffix } from '@tunefleet/contracts';
import type { JobRecord } from '../store/job-record.js';

type Named = Pick<JobRecord, 'id' | 'project' | 'suffix' | 'model'>;

/** `ft:<root base>:<project>:<suffix or empty>:<id of the job>`. */
export const versionId = (job: Named): string => `ft:${job.model.base}:${job.project}:${job.suffix ?? ''}:${idSuffix('job', job.id)}`;

export const checkpointModelId = (job: Named, step: number): string => `${versionId(job)}:ckpt-step-${step}`;

export const checkpointId = (job: Pick<JobRecord, 'id'>, step: number): string => deriveId('checkpoint', job.id, String(step));

export const resultFileId = (job: Pick<JobRecord, 'id'>): string => deriveId('file', job.id, 'results');

/** A seed of 31 bits derived from the id, where the job names none. */
export const seedOf = (id: string): number => createHash('sha256').update(id).digest().readUInt32BE(0) >>> 1;

/** Everything of a job lies below this key; a pod may write below `attempts/<n>/` alone. */
export const jobPrefix = (job: Pick<JobRecord, 'id' | 'project'>): string => `${job.project}/jobs/${job.id}/`;

export const attemptPrefix = (job: Pick<JobRecord, 'id' | 'project'>, attempt: number): string => `${jobPrefix(job)}attempts/${attempt}/`;
