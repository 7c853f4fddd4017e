import { summarize, type WorkEntry } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import { openRecords, type Records } from '@tunefleet/records';
import { type FileEntry, FileRecord, Intent, type Preparation, TaskRecord } from './schemas.js';

export type TaskEntry = WorkEntry & {
  files: string[];
  sha256: string;
  preparation: Preparation | null;
  asked_at: number;
  finished_at: number | null;
};

export interface Store {
  files: Records<FileRecord, FileEntry>;
  tasks: Records<TaskRecord, TaskEntry>;
  intents: Records<Intent, Intent>;
  ready(): boolean;
}

export async function openStore(bus: Bus): Promise<Store> {
  const bucket = 'dataset';
  const [files, tasks, intents] = await Promise.all([
    openRecords<FileRecord, FileEntry>(bus, {
      bucket,
      prefix: 'file',
      schema: FileRecord,
      project: ({ report, ...file }) => ({ ...file, rows: report?.rows ?? null, kind: report?.kind ?? null }),
    }),
    openRecords<TaskRecord, TaskEntry>(bus, {
      bucket,
      prefix: 'task',
      schema: TaskRecord,
      project: ({ id, project, files, sha256, preparation, asked_at, work }) => ({
        ...{ id, project, files, sha256, preparation, asked_at },
        finished_at: work.finished_at,
        work: summarize(work),
      }),
    }),
    openRecords<Intent, Intent>(bus, { bucket, prefix: 'intent', schema: Intent, project: (intent) => intent }),
  ]);
  return { files, tasks, intents, ready: () => files.ready() && tasks.ready() && intents.ready() };
}
