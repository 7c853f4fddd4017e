import { ApiError, LIMITS, type ObjectLink, type ResolvedModel } from '@tunefleet/contracts';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Store } from '../store/records.js';
import type { BaseRecord, StoredFile, VersionRecord } from '../store/schemas.js';
import { BUNDLED } from './bundled.js';
import { headOfBase, headOfVersion } from './heads.js';

export type Found = { base: BaseRecord; version: VersionRecord | null };

const aliasId = (project: string, name: string): string => `${project}/${name}`;

const missing = (model: string): ApiError =>
  new ApiError('model_not_found', `The model '${model}' does not exist or you do not have access to it. GET /v1/models lists what does.`, {
    param: 'model',
  });

async function findBase(store: Store, project: string, name: string): Promise<BaseRecord | null> {
  const own = await store.bases.get(`${project}/${name}`);
  return (own ?? (await store.bases.get(`${BUNDLED}/${name}`)))?.value ?? null;
}

/** What a name stands for in a project: an alias of its own first, then a base, then one of its versions or checkpoints. 404 `model_not_found`. */
export async function find(store: Store, project: string, name: string): Promise<Found> {
  const alias = await store.aliases.get(aliasId(project, name));
  const target = alias?.value.model ?? name;
  const base = await findBase(store, project, target);
  if (base) return { base, version: null };
  const version = (await store.versions.get(target))?.value;
  if (version?.project !== project) throw missing(name);
  const root = await findBase(store, project, version.base);
  if (!root) throw missing(name);
  return { base: root, version };
}

const TOKENIZER = /^(tokenizer|special_tokens_map|chat_template|config|generation_config)/;

const OWN_TOKENIZER = /^(tokenizer|special_tokens_map|chat_template)/;

/** The folder that a model loads: its own under full tuning (with the base's tokenizer), its parent's under an adapter. */
export async function folderOf(store: Store, base: BaseRecord, version: VersionRecord | null): Promise<StoredFile[]> {
  if (!version) return base.files;
  const { adapter, files } = version.manifest;
  if (adapter.type === 'lora') {
    const below = await folderOf(store, base, version.parent === base.name ? null : await parentOf(store, version));
    // An adapter that came with added tokens has the tokenizer that knows them.
    const own = files.filter((file) => OWN_TOKENIZER.test(file.path));
    return [...below.filter((file) => !own.some(({ path }) => path === file.path)), ...own];
  }
  return [...files, ...base.files.filter((file) => TOKENIZER.test(file.path) && !files.some((own) => own.path === file.path))];
}

async function parentOf(store: Store, version: VersionRecord): Promise<VersionRecord | null> {
  const parent = (await store.versions.get(version.parent))?.value;
  // a parent that was a base under another name (an alias at the time) is the root base
  return parent?.project === version.project ? parent : null;
}

/** The answer to `resolve_model`: canonical id, hashes, and fresh URLs for every file that a loader needs. */
export async function resolve(store: Store, objects: ObjectStore, project: string, name: string): Promise<ResolvedModel> {
  const { base, version } = await find(store, project, name);
  const link = async ({ path, key, bytes, sha256 }: StoredFile): Promise<ObjectLink> => ({
    path,
    bytes,
    sha256,
    url: await objects.sign('GET', key, LIMITS.signedUrlSeconds),
  });
  const links = (files: StoredFile[]): Promise<ObjectLink[]> => Promise.all(files.map(link));
  const { rates, default_adapter, parameters, context } = base;
  const head = version ? headOfVersion(version) : headOfBase(base);
  const common = {
    base: base.name,
    base_weights_sha256: base.adapter?.over_sha256 ?? base.weights_sha256,
    parameters,
    context,
    head,
    rates,
    default_adapter,
  };
  const files = await links(await folderOf(store, base, version));
  const plain = { adapter: null, base_precision: 'float32' } as const;
  if (!version) {
    const over = base.adapter ? { ...plain, adapter: await links(base.adapter.files) } : plain;
    const owner = base.project === BUNDLED ? null : base.project;
    return { ...common, id: base.name, kind: 'base', project: owner, weights_sha256: base.weights_sha256, files, ...over };
  }
  const { manifest, id, kind } = version;
  const loaded =
    manifest.adapter.type === 'full'
      ? plain
      : { adapter: await links(manifest.files), base_precision: manifest.base_precision ?? 'float32' };
  return { ...common, id, kind, project, weights_sha256: manifest.weights_sha256, files, ...loaded };
}
