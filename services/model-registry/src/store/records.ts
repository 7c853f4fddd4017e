import type { Bus } from '@tunefleet/messaging';
import { openRecords, type Records } from '@tunefleet/records';
import { AliasRecord, BaseRecord, VersionRecord } from './schemas.js';

const BUCKET = 'model-registry';

type BaseView = Pick<BaseRecord, 'id' | 'project' | 'created_at'> & { name: string };
type VersionView = Pick<VersionRecord, 'id' | 'project' | 'created_at' | 'kind' | 'base' | 'parent'>;
type AliasView = Pick<AliasRecord, 'id' | 'project' | 'created_at' | 'name' | 'model'>;

export type BaseRecords = Records<BaseRecord, BaseView>;
export type VersionRecords = Records<VersionRecord, VersionView>;
export type AliasRecords = Records<AliasRecord, AliasView>;

/** The registry's private records. */
export interface Store {
  bases: BaseRecords;
  versions: VersionRecords;
  aliases: AliasRecords;
}

export async function openStore(bus: Bus): Promise<Store> {
  const [bases, versions, aliases] = await Promise.all([
    openRecords<BaseRecord, BaseView>(bus, {
      bucket: BUCKET,
      prefix: 'base',
      schema: BaseRecord,
      project: ({ id, project, created_at, name }) => ({ id, project, created_at, name }),
    }),
    openRecords<VersionRecord, VersionView>(bus, {
      bucket: BUCKET,
      prefix: 'version',
      schema: VersionRecord,
      project: ({ id, project, created_at, kind, base, parent }) => ({ id, project, created_at, kind, base, parent }),
    }),
    openRecords<AliasRecord, AliasView>(bus, {
      bucket: BUCKET,
      prefix: 'alias',
      schema: AliasRecord,
      project: ({ id, project, created_at, name, model }) => ({ id, project, created_at, name, model }),
    }),
  ]);
  return { bases, versions, aliases };
}
