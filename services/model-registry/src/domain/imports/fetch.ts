import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BaseModelSource } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { download, type ObjectStore } from '@tunefleet/object-store';
import { chooseFiles, within } from './choose-files.js';
import type { Hub } from './hub.js';

export interface FetchParts {
  bus: Bus;
  objects: ObjectStore;
  hub: Hub;
}

/** Brings the files of a source into `folder`. Errors: `file_not_found`, `import_failed`. */
export async function fetchSource(
  parts: FetchParts,
  project: string,
  source: BaseModelSource,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  switch (source.type) {
    case 'files':
      return fetchFiles(parts.bus, project, source.files, folder, signal);
    case 'hf':
      return parts.hub.fetch(source.repo, source.revision ?? 'main', folder, signal);
    case 's3':
      return fetchObjects(parts.objects, keyOf(source.uri), folder, signal);
  }
}

async function fetchFiles(
  bus: Bus,
  project: string,
  files: readonly { file_id: string; path: string }[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  let bytes = 0;
  for (const { file_id: id, path } of files) {
    const link = await bus.request('dataset.get_content', { project, id }, { signal });
    bytes = within(bytes + link.bytes);
    await download(link, join(folder, path), { signal });
  }
}

async function fetchObjects(objects: ObjectStore, prefix: string, folder: string, signal: AbortSignal): Promise<void> {
  let bytes = 0;
  const found = [];
  for await (const object of objects.list(prefix)) found.push({ ...object, path: object.key.slice(prefix.length) });
  const chosen = chooseFiles(
    found.map(({ path }) => path),
    `the folder ${prefix}`,
  );
  for (const { key, path, bytes: size } of found.filter((object) => chosen.includes(object.path))) {
    bytes = within(bytes + size);
    await pipeline(await objects.get(key, { signal }), createWriteStream(join(folder, path)), { signal });
  }
}

/** The key prefix behind the bucket's name. */
export const keyOf = (uri: string): string => `${new URL(uri).pathname.slice(1).replace(/\/+$/, '')}/`;
