import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileSummary, RpcRequest } from '@tunefleet/contracts';
import { download } from '@tunefleet/object-store';
import { fileSummary, findFile } from './files.js';
import { intendToStore, settle } from './intents.js';
import { type Parts, seconds } from './parts.js';

/** Copies what is behind a signed URL into a file of the given id. Idempotent: the second call finds the first one's file. */
export async function createResultFile(parts: Parts, request: RpcRequest<'dataset.create_result_file'>): Promise<FileSummary> {
  const { store, objects, scratch } = parts;
  const { project, id, filename, purpose, source } = request;
  const known = await store.files.get(id);
  if (known) return fileSummary(await findFile(store, project, id));
  const key = `${project}/files/${id}`;
  const folder = await mkdtemp(join(scratch, 'result-'));
  try {
    const { bytes, sha256 } = await download(source, join(folder, 'file'));
    const intent = await intendToStore(store, project, key);
    await objects.put(key, createReadStream(join(folder, 'file')));
    const { value } = await store.files.create({
      ...{ id, project, created_at: seconds(), schema: 1, key, purpose, filename, bytes, sha256 },
      ...{ expires_at: null, status: 'processed', status_details: null, report: null },
    });
    await settle(parts, intent);
    return fileSummary(value);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
