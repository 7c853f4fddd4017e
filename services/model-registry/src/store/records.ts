import { summarize, type WorkEntry } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import { openRecords, type Records } from '@tunefleet/records';
import { AliasRecord, BaseRecord, ImportRecord, VersionRecord } from './schemas.js';

const BUCKET = 'model-registry';

type BaseView = Pick<BaseRecord, 'id' | 'project' | 'created_at'> & { name: string };
type VersionView = Pick<VersionRecord, 'id' | 'project' | 'created_at' | 'kind' | 'base' | 'parent'>;
export type ImportEntry = WorkEntry & Pick<ImportRecord, 'created_at' | 'name' | 'request' | 'base' | 'deleting'>;
type AliasView = Pick<AliasRecord, 'id' | 'project' | 'created_at' | 'name' | 'model'>;

export type BaseRecords = Records<BaseRecord, BaseView>;
export type VersionRecords = Records<VersionRecord, VersionView>;
export type AliasRecords = Records<AliasRecord, AliasView>;

export type ImportRecords = Records<ImportRecord, ImportEntry>;

/** The registry's private records. */
export interface Store {
  bases: BaseRecords;
  versions: VersionRecords;
  aliases: AliasRecords;
  imports: ImportRecords;
}

export async function openStore(bus: Bus): Promise<Store> {
  const [bases, versions, aliases, imports] = await Promise.all([
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
    openRecords<ImportRecord, ImportEntry>(bus, {
      bucket: BUCKET,
      prefix: 'import',
      schema: ImportRecord,
      project: ({ id, project, created_at, name, request, base, deleting, work }) => ({
        ...{ id, project, created_at, name, request, base, deleting },
        work: summarize(work),
      }),
    }),
  ]);
  return { bases, versions, aliases, imports };
}
