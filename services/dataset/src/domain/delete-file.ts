import { isFinished } from '@tunefleet/jobs';
import { intendToDelete, settle } from './intents.js';
import type { Parts } from './parts.js';

/** The record goes first: from then on the file does not exist. Its bytes follow, at the latest by the sweeper. */
export async function deleteFile(parts: Parts, { id, project, key }: { id: string; project: string; key: string }): Promise<void> {
  const intent = await intendToDelete(parts.store, project, key);
  await parts.store.files.delete(id);
  const check = parts.store.tasks.find(`check-${id}`);
  if (check && !isFinished(check.work.state)) await parts.work.move(check.id, 'cancel', { repeat: true }).catch(() => undefined);
  await settle(parts, intent).catch((error: unknown) =>
    parts.logger.warn({ err: error, file: id }, 'bytes of a deleted file are left to the sweeper'),
  );
}
