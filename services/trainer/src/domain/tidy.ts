import { isFinished } from '@tunefleet/jobs';
import type { JobEntry, JobRecord } from '../store/job-record.js';
import { jobPrefix } from './names.js';
import type { Parts } from './parts.js';
import { archiveKey, rowsOf } from './rows.js';

/**
 * After a job has ended: its metrics move to one object, its snapshots and whatever no manifest stands for are deleted. Idempotent; the record says when it
 * is done. What a reader needs is never missing: the archive is whole before the record names it, the store is emptied after.
 */
export async function tidyJob(parts: Parts, job: JobRecord): Promise<void> {
  if (!isFinished(job.work.state)) return;
  if (!job.metrics_archived) {
    const rows = await rowsOf(parts, job);
    await parts.store.put(archiveKey(job), Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')));
    await deleteLeftovers(parts, job);
    await parts.records.update(job.id, (current) => ({ ...current, metrics_archived: true, snapshots: [] }));
  }
  await parts.metrics.drop(job.id);
}

async function deleteLeftovers({ store }: Parts, job: JobRecord): Promise<void> {
  const manifests = [job.manifest_key, ...job.checkpoints.filter((c) => c.registered).map((c) => c.manifest_key)];
  const kept = manifests.flatMap((key) => (key ? [key.slice(0, key.lastIndexOf('/') + 1)] : []));
  for await (const { key } of store.list(`${jobPrefix(job)}attempts/`))
    if (!kept.some((folder) => key.startsWith(folder))) await store.delete(key);
}

const SWEEP_MS = 60_000;

/** Tidies each job when it ends, and now and then those whose end this process did not see through. */
export function tidyEnded(parts: Parts): void {
  const running = new Set<string>();
  const tidy = async (id: string): Promise<void> => {
    if (running.has(id)) return;
    running.add(id);
    try {
      const job = (await parts.records.get(id))?.value;
      if (job) await tidyJob(parts, job);
    } catch (error) {
      parts.bus.logger.warn({ err: error, job: id }, 'an ended job could not be tidied yet');
    } finally {
      running.delete(id);
    }
  };
  const due = (entry: JobEntry | null): entry is JobEntry => entry !== null && !entry.tidy && isFinished(entry.work.state);
  parts.records.onChange((id, entry) => {
    if (due(entry)) void tidy(id);
  });
  const sweep = () => {
    for (const entry of parts.records.all()) if (due(entry)) void tidy(entry.id);
  };
  setInterval(sweep, SWEEP_MS).unref();
  sweep();
}
