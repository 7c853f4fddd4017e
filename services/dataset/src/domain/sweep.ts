import { isFinished } from '@tunefleet/jobs';
import { failCheck, submitCheck } from './check.js';
import { deleteFile } from './delete-file.js';
import { hasRows, isExpired } from './files.js';
import { intendToDelete, preparedPrefix, settle } from './intents.js';
import { type Parts, seconds } from './parts.js';

/** Shards of a deleted file stay this long after a job last asked for them, so that one under way can go on after a lost pod. */
const KEPT_SECONDS = 7 * 86_400;

/** Everything that a crash, or time, left undone; each step stands alone and may run in several processes. */
export async function sweep(parts: Parts): Promise<void> {
  await settleIntents(parts);
  await expireFiles(parts);
  await followChecks(parts);
  await dropTasks(parts);
}

async function settleIntents(parts: Parts): Promise<void> {
  for (const intent of [...parts.store.intents.all()]) if (intent.not_before <= Date.now()) await settle(parts, intent);
}

async function expireFiles(parts: Parts): Promise<void> {
  for (const file of [...parts.store.files.all()]) if (isExpired(file)) await deleteFile(parts, file);
}

/** A file waits for its check: the check exists, and when it failed the file says so. */
async function followChecks(parts: Parts): Promise<void> {
  for (const file of [...parts.store.files.all()]) {
    if (file.status !== 'uploaded' || !hasRows(file.purpose)) continue;
    const task = parts.store.tasks.find(`check-${file.id}`);
    if (!task) await submitCheck(parts, file);
    else if (task.work.state === 'failed') await failCheck(parts, file.id);
  }
}

async function dropTasks({ store, objects, work }: Parts): Promise<void> {
  const contents = new Set<string>();
  for (const { project, sha256 } of store.files.all()) contents.add(`${project}/${sha256}`);
  for (const task of [...store.tasks.all()]) {
    const { id, project, preparation } = task;
    if (!preparation) {
      const file = store.files.find(task.files[0] ?? '');
      if (!file && !isFinished(task.work.state)) await work.move(id, 'cancel', { repeat: true });
      else if (isFinished(task.work.state) && file?.status !== 'uploaded') await store.tasks.delete(id);
      continue;
    }
    const kept = contents.has(`${project}/${task.sha256}`) || seconds() - task.asked_at < KEPT_SECONDS;
    if (kept || !isFinished(task.work.state)) continue;
    const intent = await intendToDelete(store, project, preparedPrefix(project, preparation.hash));
    await store.tasks.delete(id);
    await settle({ store, objects }, intent);
  }
}
