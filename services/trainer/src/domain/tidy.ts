import type { JobRecord } from '../store/job-record.js';
import { jobPrefix } from './names.js';
import type { Parts } from './parts.js';
import { archiveKey, rowsOf } from './rows.js';

export const ENDED: ReadonlySet<JobRecord['work']['state']> = new Set(['succeeded', 'failed', 'cancelled']);

/**
 * After a job has ended: its metrics move to one object, its snapshots and whatever no manifest stands for are deleted. Idempotent; the record says when it
 * is done. What a reader needs is never missing: the archive is whole before the record names it, the store is emptied after.
 */
export async function tidyJob(parts: Parts, job: JobRecord): Promise<void> {
  if (!ENDED.has(job.work.state)) return;
  if (!job.metrics_archived) {
    const rows = await rowsOf(parts, job);
    await parts.store.put(archiveKey(job), Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')));
    await deleteLeftovers(parts, job);
    await parts.records.update(job.id, (current) => ({ ...current, metrics_archived: true, snapshots: [] }));
  }
  await parts.metrics.drop(job.id);
}

async function deleteLeftovers({ store }: Parts, job: JobRecord): Promise<void> {
  const manifests = [job.completion?.manifest_key, ...job.checkpoints.filter((c) => c.registered).map((c) => c.manifest_key)];
  const kept = manifests.flatMap((key) => (key ? [key.slice(0, key.lastIndexOf('/') + 1)] : []));
  for await (const { key } of store.list(`${jobPrefix(job)}attempts/`)) if (!kept.some((folder) => key.startsWith(folder))) await store.delete(key);
}
