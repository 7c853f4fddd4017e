import { randomUUID } from 'node:crypto';
import type { Store } from '../store/records.js';
import type { Intent } from '../store/schemas.js';
import { type Parts, seconds } from './parts.js';

/** Longer than any upload may take (an hour): bytes without a record after that belong to a dead process. */
const UPLOAD_MS = 2 * 3_600_000;

async function write({ intents }: Store, project: string, key: string, not_before: number): Promise<Intent> {
  const intent: Intent = { id: randomUUID(), project, created_at: seconds(), schema: 1, key, not_before };
  await intents.create(intent);
  return intent;
}

/** Before bytes are stored that get their record later. */
export const intendToStore = (store: Store, project: string, key: string): Promise<Intent> =>
  write(store, project, key, Date.now() + UPLOAD_MS);

/** Before the record of these bytes is deleted. */
export const intendToDelete = (store: Store, project: string, key: string): Promise<Intent> => write(store, project, key, Date.now());

function isReferred({ files, tasks }: Store, key: string): boolean {
  for (const file of files.all()) if (file.key === key) return true;
  for (const { project, preparation } of tasks.all()) if (preparation && preparedPrefix(project, preparation.hash) === key) return true;
  return false;
}

export const preparedPrefix = (project: string, hash: string): string => `${project}/prepared/${hash}/`;

/** Deletes what the intent names unless a record refers to it, then the intent. */
export async function settle({ store, objects }: Pick<Parts, 'store' | 'objects'>, { id, key }: Intent): Promise<void> {
  if (!isReferred(store, key)) await (key.endsWith('/') ? objects.deletePrefix(key) : objects.delete(key));
  await store.intents.delete(id);
}
