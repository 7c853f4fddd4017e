import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const LENGTH = 24; // 62^24 > 2^142

/** Prefix of each kind of id, as OpenAI writes it where it has one. */
export const ID_PREFIX = {
  file: 'file-',
  job: 'ftjob-',
  event: 'ftevent-',
  checkpoint: 'ftckpt_',
  eval: 'eval_',
  run: 'evalrun_',
  outputItem: 'outputitem_',
  completion: 'cmpl-',
  chatCompletion: 'chatcmpl-',
  key: 'key_',
  request: 'req_',
} as const;

export type IdKind = keyof typeof ID_PREFIX;

function base62(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) if (byte < 248 && text.length < LENGTH) text += ALPHABET[byte % 62];
  return text;
}

/** A new random id, e.g. `ftjob-3kTMd...` (24 characters after the prefix). */
export function mintId(kind: IdKind): string {
  let text = '';
  while (text.length < LENGTH) text = base62(randomBytes(40));
  return ID_PREFIX[kind] + text;
}

/** An id that is the same each time for the same parts, so that a repeated effect finds its first one. */
export function deriveId(kind: IdKind, ...parts: string[]): string {
  const digest = createHash('sha512').update(parts.join('\0')).digest();
  return ID_PREFIX[kind] + base62(digest).padEnd(LENGTH, '0');
}

/** The part behind the prefix: a job `ftjob-abc` makes the version `ft:<base>:<project>:<suffix>:abc`. */
export const idSuffix = (kind: IdKind, id: string): string => id.slice(ID_PREFIX[kind].length);
