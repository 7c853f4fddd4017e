import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isModelFile } from '@tunefleet/contracts';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Logger } from '@tunefleet/service';
import type { BaseRecords } from '../store/records.js';
import type { BaseRecord, StoredFile } from '../store/schemas.js';
import { defaultSettings } from './default-settings.js';
import { describeFolder } from './describe-folder.js';
import { fileSha256 } from './file-hash.js';

export const BUNDLED = '_bundled';

/** Put every Hugging Face folder below `folder` into the object store and the records. Safe to run in two replicas at once: objects are keyed by content. */
export async function registerBundled(folder: string, store: ObjectStore, bases: BaseRecords, logger: Logger): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.filter((e) => e.isDirectory() || e.isSymbolicLink()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    const names = (await readdir(path)).filter(isModelFile).sort();
    if (!names.includes('config.json')) continue;
    const described = await describeFolder(path);
    const files: StoredFile[] = [];
    for (const name of names) {
      const digest = await fileSha256(join(path, name));
      const key = `${BUNDLED}/models/${entry.name}/${digest}/${name}`;
      const bytes = (await stat(join(path, name))).size;
      if ((await store.head(key))?.bytes !== bytes) await store.put(key, createReadStream(join(path, name)));
      files.push({ path: name, key, bytes, sha256: digest });
    }
    const settings = await readSettings(path, described.head);
    const record: BaseRecord = {
      id: `${BUNDLED}/${entry.name}`,
      project: BUNDLED,
      created_at: Math.floor(Date.now() / 1000),
      schema: 1,
      name: entry.name,
      files,
      ...described,
      ...settings,
    };
    await putBase(bases, record);
    logger.info({ base: entry.name, parameters: described.parameters }, 'base model registered');
  }
}

/** The record as the folder has it now; one that says the same already keeps its date. */
async function putBase(bases: BaseRecords, record: BaseRecord): Promise<void> {
  const { value, created } = await bases.create(record);
  if (!created) await bases.update(record.id, (old) => (same(old, record) ? null : { ...record, created_at: value.created_at }));
}

const same = (a: BaseRecord, b: BaseRecord): boolean => JSON.stringify({ ...a, created_at: 0 }) === JSON.stringify({ ...b, created_at: 0 });

/** `tunefleet.json` beside the weights: learning rates at which the multiplier is 1, and how the base is tuned by default. */
async function readSettings(folder: string, head: BaseRecord['head']): Promise<Pick<BaseRecord, 'rates' | 'default_adapter'>> {
  const defaults = defaultSettings(head);
  const text = await readFile(join(folder, 'tunefleet.json'), 'utf8').catch(() => null);
  return text === null ? defaults : { ...defaults, ...(JSON.parse(text) as Partial<typeof defaults>) };
}
