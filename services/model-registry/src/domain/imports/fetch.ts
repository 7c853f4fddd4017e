import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BaseModelSource } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { download, type ObjectStore } from '@tunefleet/object-store';
import type { StoredFile } from '../../store/schemas.js';
import { chooseFiles, within } from './choose-files.js';
import type { Hub } from './hub.js';

export interface FetchParts {
  bus: Bus;
  objects: ObjectStore;
  hub: Hub;
}

export interface Wanted {
  /** Where the files go. */
  folder: string;
  /** A PEFT adapter is expected, else a whole model. */
  adapter: boolean;
  signal: AbortSignal;
}

/** Brings the files of a source into a folder. Errors: `file_not_found`, `import_failed`. */
export async function fetchSource(parts: FetchParts, project: string, source: BaseModelSource, wanted: Wanted): Promise<void> {
  await mkdir(wanted.folder, { recursive: true });
  switch (source.type) {
    case 'files':
      return fetchFiles(parts.bus, project, source.files, wanted);
    case 'hf':
      return parts.hub.fetch(source.repo, source.revision ?? 'main', wanted);
    case 's3':
      return fetchObjects(parts.objects, keyOf(source.uri), wanted);
  }
}

/** Brings a base's own files into a folder. */
export async function fetchStored(objects: ObjectStore, files: readonly StoredFile[], folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { key, path } of files) await pipeline(await objects.get(key, { signal }), createWriteStream(join(folder, path)), { signal });
}

async function fetchFiles(
  bus: Bus,
  project: string,
  files: readonly { file_id: string; path: string }[],
  { folder, signal }: Wanted,
): Promise<void> {
  let bytes = 0;
  for (const { file_id: id, path } of files) {
    const link = await bus.request('dataset.get_content', { project, id }, { signal });
    bytes = within(bytes + link.bytes);
    await download(link, join(folder, path), { signal });
  }
}

async function fetchObjects(objects: ObjectStore, prefix: string, { folder, adapter, signal }: Wanted): Promise<void> {
  const found = new Map<string, number>();
  for await (const { key, bytes } of objects.list(prefix)) found.set(key.slice(prefix.length), bytes);
  const chosen = chooseFiles([...found.keys()], `the folder ${prefix}`, adapter);
  within(chosen.reduce((sum, path) => sum + (found.get(path) ?? 0), 0));
  for (const path of chosen)
    await pipeline(await objects.get(prefix + path, { signal }), createWriteStream(join(folder, path)), { signal });
}

/** The key prefix behind the bucket's name. */
export const keyOf = (uri: string): string => `${new URL(uri).pathname.slice(1).replace(/\/+$/, '')}/`;
