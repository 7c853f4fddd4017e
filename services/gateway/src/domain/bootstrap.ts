import type { KeyStore } from '../store/keys.js';
import { hashKey } from './api-key.js';

/** Id of the one key that comes from the environment. It has another form than minted ids, so that none can collide with it. */
export const BOOTSTRAP_ID = 'key_bootstrap';

/** Keeps the admin key of project `default` that the environment gives; it replaces the one given before. */
export async function keepBootstrapKey(keys: KeyStore, key: string | undefined): Promise<void> {
  if (key === undefined) return;
  const hash = hashKey(key);
  const created_at = Math.floor(Date.now() / 1000);
  const { created } = await keys.create({
    schema: 1,
    id: BOOTSTRAP_ID,
    project: 'default',
    created_at,
    scope: 'admin',
    expires_at: null,
    hash,
  });
  if (!created) await keys.update(BOOTSTRAP_ID, (record) => (record.hash === hash ? null : { ...record, hash }));
}
