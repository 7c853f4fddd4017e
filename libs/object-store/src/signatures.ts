import { createHmac, timingSafeEqual } from 'node:crypto';
import { checkKey, checkSeconds } from './keys.js';
import type { SignedMethod } from './object-store.js';

const ROUTE = '/objects/';

/** Signs and checks `/objects/<key>?method&expires&signature`: one method, one object, until `expires` (unix seconds). */
export class ObjectUrls {
  private readonly key: Buffer;

  /** `secret`: the identity key; the signing key is derived from it, so that neither signature can stand for the other. */
  constructor(secret: string) {
    this.key = createHmac('sha256', secret).update('tunefleet object urls').digest();
  }

  sign(base: string, method: SignedMethod, key: string, seconds: number, now = Date.now()): string {
    const expires = Math.floor(now / 1000) + checkSeconds(seconds);
    const path = checkKey(key).split('/').map(encodeURIComponent).join('/');
    const query = new URLSearchParams({ method, expires: String(expires), signature: this.mac(method, key, expires) });
    return `${base.replace(/\/$/, '')}${ROUTE}${path}?${query}`;
  }

  /** The key that this request may touch, or null: forged, expired, another method, or no URL of ours. */
  verify(method: string | undefined, target: string | undefined, now = Date.now()): string | null {
    try {
      const { pathname, searchParams } = new URL(target ?? '', 'http://objects');
      const expires = Number(searchParams.get('expires'));
      if (!pathname.startsWith(ROUTE) || searchParams.get('method') !== method || !(expires * 1000 > now)) return null;
      const key = checkKey(pathname.slice(ROUTE.length).split('/').map(decodeURIComponent).join('/'));
      const given = Buffer.from(searchParams.get('signature') ?? '');
      const expected = Buffer.from(this.mac(method ?? '', key, expires));
      return given.length === expected.length && timingSafeEqual(given, expected) ? key : null;
    } catch {
      return null; // a malformed URL or key
    }
  }

  private mac(method: string, key: string, expires: number): string {
    return createHmac('sha256', this.key).update(`${method}\n${key}\n${expires}`).digest('base64url');
  }
}
