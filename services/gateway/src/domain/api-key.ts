import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ID_PREFIX, idSuffix } from '@tunefleet/contracts';

/** `tf-<suffix of the key's id>-<256 random bits>`: the prefix lets secret scanners know it, the id finds its record. */
export function mintKey(id: string): { key: string; hash: string } {
  const key = `tf-${idSuffix('key', id)}-${randomBytes(32).toString('base64url')}`;
  return { key, hash: hashKey(key) };
}

export const hashKey = (key: string | Buffer): string => createHash('sha256').update(key).digest('hex');

/** Id of the record that a minted key belongs to; null for a key of another form. */
export function idOfKey(key: string): string | null {
  const [, suffix] = /^tf-([0-9A-Za-z]{24})-[\w-]{43}$/.exec(key) ?? [];
  return suffix === undefined ? null : ID_PREFIX.key + suffix;
}

/** Both are SHA-256 in hex; constant time. */
export const sameHash = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
