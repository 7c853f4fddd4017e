import { Type } from 'typebox';
import { LIMITS } from '../limits.js';
import { Project } from '../messages/common.js';
import { nullable, strict } from './strict.js';

const KeyScope = Type.Enum(['read', 'write', 'admin']);

/** `POST /v1/api_keys`. */
export const KeyCreateBody = strict({
  project: Project,
  scope: KeyScope,
  /** Unix seconds; without it the key lives until it is revoked. */
  expires_at: Type.Optional(nullable(Type.Integer({ minimum: 0 }))),
});

/** `GET /v1/api_keys`. */
export const KeyListQuery = Type.Object({
  project: Type.Optional(Project),
  after: Type.Optional(Type.String()),
  limit: Type.Integer({ minimum: 1, maximum: LIMITS.listMax, default: 20 }),
  order: Type.Enum(['asc', 'desc'], { default: 'desc' }),
});

const shown = {
  id: Type.String(),
  object: Type.Literal('api_key'),
  project: Project,
  scope: KeyScope,
  created_at: Type.Integer(),
  expires_at: nullable(Type.Integer()),
};
export const KeyObject = Type.Object(shown);
/** The only time that the key itself is told. */
export const NewKeyObject = Type.Object({ ...shown, key: Type.String() });
export const KeyDeletedObject = Type.Object({ id: Type.String(), object: Type.Literal('api_key'), deleted: Type.Literal(true) });
