import { ApiError } from '@tunefleet/contracts';
import type { FileRecord, RowReport, TaskRecord } from '../store/schemas.js';
import { faultText } from './files.js';
import { type Parts, seconds } from './parts.js';

export const CHECK_QUEUE = 'check';

/** Puts the look at a file's rows on record. Idempotent. */
export async function submitCheck({ work }: Parts, { id, project, sha256 }: Pick<FileRecord, 'id' | 'project' | 'sha256'>): Promise<void> {
  const now = seconds();
  const task = {
    id: `check-${id}`,
    project,
    created_at: now,
    schema: 1 as const,
    files: [id],
    sha256,
    preparation: null,
    outcome: null,
    asked_at: now,
  };
  await work.submit(task, { queue: CHECK_QUEUE, kind: 'check' });
}

async function settleFile({ store, bus }: Pick<Parts, 'store' | 'bus'>, id: string, change: Partial<FileRecord>): Promise<void> {
  try {
    const { value } = await store.files.update(id, (file) => (file.status === 'uploaded' ? { ...file, ...change } : null));
    bus.emit('dataset.file', { id, project: value.project, status: value.status });
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'not_found')) throw error; // deleted meanwhile
  }
}

/** The report becomes the file's status. Idempotent. */
export async function completeCheck(parts: Pick<Parts, 'store' | 'bus'>, task: TaskRecord, result: unknown): Promise<void> {
  const report = result as RowReport;
  const faulty = report.data.length > 0;
  const change = {
    status: faulty ? ('error' as const) : ('processed' as const),
    status_details: faulty ? faultText(report) : null,
    report,
  };
  for (const id of task.files) await settleFile(parts, id, change);
}

/** The rows could not be looked at, however often it was tried. */
export const failCheck = (parts: Pick<Parts, 'store' | 'bus'>, fileId: string): Promise<void> =>
  settleFile(parts, fileId, { status: 'error', status_details: 'The rows of this file could not be read. Upload it again.' });
