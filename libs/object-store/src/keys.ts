import { LIMITS } from '@tunefleet/contracts';

/** A segment never begins with a dot: `.` and `..` are out, and folders keep their own files (`.tmp`) under such names. */
const SEGMENT = /^[A-Za-z0-9_=@+~-][A-Za-z0-9_.:=@+~-]{0,199}$/;
const MAX_LENGTH = 900; // S3 allows 1,024 bytes

const legal = (key: string): boolean => key.length <= MAX_LENGTH && key.split('/').every((segment) => SEGMENT.test(segment));

/** Keys are made by servers: one that breaks the rules is a bug or an attack, never a user's typing error. */
export function checkKey(key: string): string {
  if (!legal(key)) throw new TypeError(`not a legal object key: ${JSON.stringify(key.slice(0, 200))}`);
  return key;
}

export function checkPrefix(prefix: string): string {
  if (!prefix.endsWith('/') || !legal(prefix.slice(0, -1))) {
    throw new TypeError(`not a legal object prefix (it ends in a slash): ${JSON.stringify(prefix.slice(0, 200))}`);
  }
  return prefix;
}

export function checkSeconds(seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > LIMITS.signedUrlSeconds) {
    throw new RangeError(`a signed URL lives 1 to ${LIMITS.signedUrlSeconds} s, not ${seconds}`);
  }
  return seconds;
}
