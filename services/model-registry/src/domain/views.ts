import type { AliasObject, BaseModelObject, BaseModelStatus, ModelObject } from '@tunefleet/contracts';
import type { Store } from '../store/records.js';
import type { AliasRecord, BaseRecord, ImportRecord, VersionRecord } from '../store/schemas.js';
import { headOfBase, headOfVersion } from './heads.js';

const aliasesOf = (store: Store, project: string, model: string): string[] =>
  [...store.aliases.all()]
    .filter((alias) => alias.project === project && alias.model === model)
    .map((alias) => alias.name)
    .sort();

export const baseView = (store: Store, project: string, base: BaseRecord): ModelObject => ({
  id: base.name,
  object: 'model',
  created: base.created_at,
  owned_by: base.project.startsWith('_') ? 'tunefleet' : base.project,
  tunefleet: {
    kind: 'base',
    aliases: aliasesOf(store, project, base.name),
    weights_sha256: base.weights_sha256,
    parameters: base.parameters,
    context: base.context,
    head: headOfBase(base),
    ...(base.adapter ? { adapter_of: base.adapter.over } : {}),
  },
});

export const versionView = (store: Store, version: VersionRecord): ModelObject => ({
  id: version.id,
  object: 'model',
  created: version.created_at,
  owned_by: version.project,
  tunefleet: {
    kind: version.kind,
    base: version.base,
    job: version.manifest.job,
    aliases: aliasesOf(store, version.project, version.id),
    weights_sha256: version.manifest.weights_sha256,
    manifest_sha256: version.manifest_sha256,
    head: headOfVersion(version),
    lineage: version.manifest.lineage,
  },
});

const STATUS: Partial<Record<ImportRecord['work']['state'], BaseModelStatus>> = {
  running: 'running',
  succeeded: 'ready',
  failed: 'failed',
};

export const importView = ({ name, created_at, source, work }: ImportRecord): BaseModelObject => ({
  id: name,
  object: 'base_model',
  created_at,
  status: STATUS[work.state] ?? 'queued',
  source,
  error: work.error,
});

/** One that came with the fleet. */
export const bundledView = ({ name, created_at }: Pick<BaseRecord, 'name' | 'created_at'>): BaseModelObject => ({
  ...{ id: name, object: 'base_model', created_at, status: 'ready', source: { type: 'bundled' }, error: null },
});

export const aliasView = (alias: AliasRecord): AliasObject => ({
  id: alias.name,
  object: 'model_alias',
  created_at: alias.created_at,
  updated_at: alias.updated_at,
  model: alias.model,
  gate: alias.gate ? { rules: alias.gate.rules } : null,
});
