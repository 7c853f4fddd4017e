import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { mintId } from '@tunefleet/contracts';
import { type Bus, connect } from '@tunefleet/messaging';
import { openObjectStore } from '@tunefleet/object-store';
import { createLogger } from '@tunefleet/service';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { intendToDelete, intendToStore, preparedPrefix } from '../src/domain/intents.js';
import { type Parts, seconds } from '../src/domain/parts.js';
import { sweep } from '../src/domain/sweep.js';
import { openTasks } from '../src/domain/work.js';
import { openStore } from '../src/store/records.js';
import type { FileRecord, TaskRecord } from '../src/store/schemas.js';
import { filesBelow, makeFolder, removeFolder, until } from './fleet.js';

// The service's own parts on a real nats-server and folder, in the states that a crash at each line leaves behind.
const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
let nats: NatsTestServer;
let bus: Bus;
let folder: string;
let parts: Parts;

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  folder = await makeFolder();
  await mkdir(join(folder, 'scratch'));
  nats = await startNatsServer();
  const logger = createLogger('dataset', 'silent');
  bus = await connect({ url: nats.url, name: 'dataset', logger });
  const objects = await openObjectStore({ folder: join(folder, 'objects'), url: '', signingKey: 'k' });
  const store = await openStore(bus);
  const work = await openTasks({ bus, store, logger }, 15_000);
  parts = { bus, objects, store, logger, work, scratch: join(folder, 'scratch') };
}, 60_000);

afterAll(async () => {
  await parts?.work.drain();
  for (const records of parts ? [parts.store.files, parts.store.tasks, parts.store.intents] : []) records.close();
  await bus?.drain();
  await nats?.close();
  if (folder) await removeFolder(folder);
});

const objects = () => filesBelow(join(folder, 'objects'));
async function addFile(more: Partial<FileRecord> = {}): Promise<FileRecord> {
  const id = mintId('file');
  const key = `p/files/${id}`;
  const { bytes, sha256 } = await parts.objects.put(key, Buffer.from(id));
  const file: FileRecord = {
    ...{ id, project: 'p', created_at: seconds(), schema: 1, filename: 'f', purpose: 'user_data', bytes, sha256, key },
    ...{ expires_at: null, status: 'processed', status_details: null, report: null, ...more },
  };
  return (await parts.store.files.create(file)).value;
}

test('an expired file goes, with its bytes', async () => {
  const file = await addFile({ expires_at: seconds() - 1 });
  const stays = await addFile({ expires_at: seconds() + 100 });
  await sweep(parts);
  expect(await parts.store.files.get(file.id)).toBeNull();
  expect(await objects()).toEqual([stays.key]);
  await parts.store.files.delete(stays.id);
  await parts.objects.delete(stays.key);
});

test('bytes whose upload or delete died halfway go; those of a file stay', async () => {
  const file = await addFile();
  await intendToDelete(parts.store, 'p', file.key); // died before the record was deleted
  await parts.objects.put('p/files/file-orphan', Buffer.from('x'));
  await intendToDelete(parts.store, 'p', 'p/files/file-orphan'); // died after it
  await parts.objects.put('p/files/file-uploading', Buffer.from('x'));
  await intendToStore(parts.store, 'p', 'p/files/file-uploading'); // under way: not before two hours
  await sweep(parts);
  expect((await objects()).sort()).toEqual([file.key, 'p/files/file-uploading'].sort());
  expect([...parts.store.intents.all()].map(({ key }) => key)).toEqual(['p/files/file-uploading']);
  const [intent] = [...parts.store.intents.all()];
  await parts.store.intents.update(intent!.id, (value) => ({ ...value, not_before: 0 }));
  await sweep(parts);
  expect(await objects()).toEqual([file.key]);
});

test('a file recorded without its check gets one; a failed check makes the file an error', async () => {
  const file = await addFile({ purpose: 'fine-tune', status: 'uploaded' });
  await sweep(parts);
  const id = `check-${file.id}`;
  expect(parts.store.tasks.find(id)?.work.state).toBe('queued');
  await parts.work.fail(id, { code: 'too_many_attempts', message: 'gone', param: null });
  await until(async () => (await parts.store.files.get(file.id))?.value.status === 'error');
  await sweep(parts);
  expect(parts.store.tasks.find(id)).toBeNull();
});

test('shards of a deleted file go a week after they were last asked for, not before', async () => {
  const { sha256 } = await addFile();
  const preparation = { hash: 'abc', model: 'm', tokenizer_sha256: 't', task: 'chat', max_tokens: 8, on_overflow: 'error' as const };
  const add = async (id: string, content: string, hash: string, asked_at: number) => {
    const task = { id, project: 'p', created_at: 1, schema: 1 as const, files: ['file-x'], sha256: content, outcome: null, asked_at };
    await parts.work.submit({ ...task, preparation: { ...preparation, hash } } satisfies Omit<TaskRecord, 'work'>, {
      queue: 'prepare',
      kind: 'prepare',
    });
    await parts.work.fail(id, { code: 'x', message: 'x', param: null }); // any end
    await parts.objects.put(`${preparedPrefix('p', hash)}manifest.json`, Buffer.from('{}'));
  };
  const old = seconds() - 8 * 86_400;
  await add('prep-p-gone', 'deleted content', 'gone', old);
  await add('prep-p-asked', 'deleted content', 'asked', seconds());
  await add('prep-p-alive', sha256, 'alive', old);
  await sweep(parts);
  expect((await objects()).filter((key) => key.startsWith('p/prepared/')).sort()).toEqual([
    'p/prepared/alive/manifest.json',
    'p/prepared/asked/manifest.json',
  ]);
  expect(parts.store.tasks.find('prep-p-gone')).toBeNull();
});
