import {
  ApiError,
  type Identity,
  KeyCreateBody,
  KeyDeletedObject,
  KeyListQuery,
  KeyObject,
  mintId,
  NewKeyObject,
} from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { createOnce } from '@tunefleet/records';
import { type App, ListSchema, listOf, onceRequest } from '@tunefleet/service';
import { Type } from 'typebox';
import { mintKey } from '../domain/api-key.js';
import type { IndexedKey, KeyRecord, KeyStore } from '../store/keys.js';

const answer = ({ id, project, scope, created_at, expires_at }: IndexedKey) => ({
  id,
  object: 'api_key' as const,
  project,
  scope,
  created_at,
  expires_at,
});

/** Admin keys of project `default` look after every project, those of another project after their own. */
const governs = (identity: Identity, project: string) => identity.project === 'default' || identity.project === project;

/** `/v1/api_keys`: made, listed and revoked by admin keys. */
export function apiKeyRoutes(app: App, bus: Bus, keys: KeyStore): void {
  const config = { scope: 'admin' as const };

  app.post(
    '/v1/api_keys',
    { config, schema: { tags: ['api keys'], body: KeyCreateBody, response: { 200: NewKeyObject } } },
    async (request) => {
      const { project, scope, expires_at = null } = request.body;
      if (!governs(request.identity, project))
        throw new ApiError('insufficient_scope', `Only admin keys of project 'default' make keys of another project.`, {
          param: 'project',
        });
      if (expires_at !== null && expires_at * 1000 <= Date.now())
        throw new ApiError('invalid_value', `Invalid value for 'expires_at': expected Unix seconds in the future.`, {
          param: 'expires_at',
        });
      return createOnce(
        bus,
        onceRequest(request),
        () => mintId('key'),
        async (id) => {
          const { key, hash } = mintKey(id);
          const record: KeyRecord = { schema: 1, id, project, scope, expires_at, hash, created_at: Math.floor(Date.now() / 1000) };
          const { value, created } = await keys.create(record);
          // A retry never saw the first answer: that secret is replaced, so that one key is left and somebody knows it.
          const kept = created ? value : (await keys.update(id, (old) => ({ ...old, hash }))).value;
          return { ...answer(kept), key };
        },
      );
    },
  );

  app.get(
    '/v1/api_keys',
    { config, schema: { tags: ['api keys'], querystring: KeyListQuery, response: { 200: ListSchema(KeyObject) } } },
    async (request) => {
      const { after, limit, order, project = request.identity.project } = request.query;
      if (!governs(request.identity, project)) return listOf([], { has_more: false });
      const { items, has_more } = keys.list({ project, after, limit, order });
      return listOf(items.map(answer), { has_more });
    },
  );

  app.delete(
    '/v1/api_keys/:id',
    { config, schema: { tags: ['api keys'], params: Type.Object({ id: Type.String() }), response: { 200: KeyDeletedObject } } },
    async (request) => {
      const { id } = request.params;
      const stored = await keys.get(id);
      if (!stored || !governs(request.identity, stored.value.project))
        throw new ApiError('key_not_found', `There is no API key '${id}'.`, { param: 'id' });
      await keys.delete(id);
      return { id, object: 'api_key' as const, deleted: true as const };
    },
  );
}
