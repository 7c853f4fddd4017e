import { ApiError, type RpcRequest } from '@tunefleet/contracts';
import type { Store } from '../store/records.js';
import type { VersionRecord } from '../store/schemas.js';

/** Record a version or checkpoint. The id is derived from the job, so a repeated completion finds its first effect; another manifest under the same id is refused. */
export async function putVersion(store: Store, request: RpcRequest<'model-registry.put_version'>): Promise<VersionRecord> {
  const { id, project, base, parent, created_at, manifest, manifest_sha256 } = request;
  const record: VersionRecord = { id, project, created_at, schema: 1, kind: manifest.kind, base, parent, manifest, manifest_sha256 };
  return sameManifest((await store.versions.create(record)).value, manifest_sha256);
}

function sameManifest(existing: VersionRecord, manifest: string): VersionRecord {
  if (existing.manifest_sha256 === manifest) return existing;
  throw new ApiError(
    'invalid_state',
    `Version '${existing.id}' already exists with another manifest (${existing.manifest_sha256}, not ${manifest}).`,
  );
}

/** Delete a version and its record; refused while an alias stands for it or another version was tuned from it. */
export async function deleteVersion(store: Store, version: VersionRecord): Promise<void> {
  const alias = [...store.aliases.all()].find((a) => a.project === version.project && a.model === version.id);
  if (alias)
    throw new ApiError('model_in_use', `Alias '${alias.name}' stands for '${version.id}'. Move or delete the alias first.`, {
      param: 'model',
    });
  const child = [...store.versions.all()].find((v) => v.project === version.project && v.parent === version.id);
  if (child)
    throw new ApiError('model_in_use', `'${child.id}' was tuned from '${version.id}' and needs its weights. Delete that one first.`, {
      param: 'model',
    });
  await store.versions.delete(version.id);
}
