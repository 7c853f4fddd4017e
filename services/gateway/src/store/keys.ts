import { Id, Nullable, Project, type Scope } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { openRecords, type Records } from '@tunefleet/records';
import { type Static, Type } from 'typebox';

const KeyRecord = Type.Object({
  schema: Type.Literal(1),
  id: Id,
  project: Project,
  created_at: Type.Integer(),
  scope: Type.Enum(['read', 'write', 'admin']),
  /** Unix seconds. */
  expires_at: Nullable(Type.Integer()),
  /** SHA-256 of the whole key, hex: of 256 random bits no slower hash is needed. */
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type KeyRecord = Static<typeof KeyRecord>;

/** All of it is needed for every request, and it is small: the watched index is the cache, a revocation reaches it at once. */
export interface IndexedKey {
  id: string;
  project: string;
  created_at: number;
  scope: Scope;
  expires_at: number | null;
  hash: string;
}

export type KeyStore = Records<KeyRecord, IndexedKey>;

export const openKeys = (bus: Bus): Promise<KeyStore> =>
  openRecords<KeyRecord, IndexedKey>(bus, {
    bucket: 'gateway',
    prefix: 'key',
    schema: KeyRecord,
    project: ({ id, project, created_at, scope, expires_at, hash }) => ({ id, project, created_at, scope, expires_at, hash }),
  });
