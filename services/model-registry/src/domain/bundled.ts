import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Logger } from '@tunefleet/service';
import type { BaseRecords } from '../store/records.js';
import type { BaseRecord, StoredFile } from '../store/schemas.js';
import { describeFolder } from './describe-folder.js';

export const BUNDLED = '_bundled';

/** What of a folder belongs to the model; recipes, curves and attributions beside it do not. */
const MODEL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
]);
const isModelFile = (name: string): boolean => MODEL_FILES.has(name) || /^model-\d+-of-\d+\.safetensors$/.test(name);

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

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
      const digest = await sha256(join(path, name));
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
  // Encoders are small: all of one is tuned.
  const default_adapter = head === 'language_model' ? ('lora' as const) : ('full' as const);
  const fallback = { rates: { full: 2e-5, lora: 2e-4 }, default_adapter };
  const text = await readFile(join(folder, 'tunefleet.json'), 'utf8').catch(() => null);
  return text === null ? fallback : { ...fallback, ...(JSON.parse(text) as Partial<typeof fallback>) };
}
