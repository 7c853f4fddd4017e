import { createHmac, timingSafeEqual } from 'node:crypto';
import { LIMITS } from './limits.js';

export const IDENTITY_HEADER = 'x-tunefleet-identity';

export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who calls, as the gateway has established it. The project is the tenant and comes from the credential alone. */
export interface Identity {
  project: string;
  keyId: string;
  scope: Scope;
}

/** `admin` includes `write`, which includes `read`. */
export const allows = (has: Scope, needs: Scope): boolean => SCOPES.indexOf(has) >= SCOPES.indexOf(needs);

const mac = (key: string, payload: string): Buffer => createHmac('sha256', key).update(payload).digest();

/** Header value that lives 60 s: `base64url(json).base64url(hmac-sha256)`. */
export function signIdentity(identity: Identity, key: string, now = Date.now()): string {
  const payload = Buffer.from(JSON.stringify({ ...identity, expires: now + LIMITS.identitySeconds * 1000 })).toString('base64url');
  return `${payload}.${mac(key, payload).toString('base64url')}`;
}

/** The identity, or null when the header is malformed, forged or expired. */
export function verifyIdentity(header: string | undefined, key: string, now = Date.now()): Identity | null {
  const [payload, signature, ...rest] = header?.split('.') ?? [];
  if (!payload || !signature || rest.length > 0) return null;
  const given = Buffer.from(signature, 'base64url');
  const expected = mac(key, payload);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const { project, keyId, scope, expires } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Identity & {
    expires: number;
  };
  return expires > now ? { project, keyId, scope } : null;
}
