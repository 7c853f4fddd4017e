import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const LENGTH = 24; // 62^24 > 2^142

/** Prefix of each kind of id, as OpenAI writes it where it has one. */
export const ID_PREFIX = {
  file: 'file-',
  baseModel: 'base_',
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

const TIME_LENGTH = 8; // 62^8 ms: 6,900 years

let lastMs = 0;

/** Milliseconds that never repeat within a process: ids minted within one millisecond keep their order. */
function tick(): string {
  lastMs = Math.max(Date.now(), lastMs + 1);
  let text = '';
  for (let rest = lastMs; text.length < TIME_LENGTH; rest = Math.floor(rest / 62)) text = ALPHABET[rest % 62] + text;
  return text;
}

/**
 * A new id, e.g. `ftjob-0VDjT3kT...`: 24 characters after the prefix, the first 8 the time in an alphabet that is in byte order, so that lists ordered by
 * (created_at, id) keep the order of creation; the other 16 are random (95 bits).
 */
export function mintId(kind: IdKind): string {
  let text = '';
  while (text.length < LENGTH) text = base62(randomBytes(40));
  return ID_PREFIX[kind] + tick() + text.slice(TIME_LENGTH);
}

/** An id that is the same each time for the same parts, so that a repeated effect finds its first one. */
export function deriveId(kind: IdKind, ...parts: string[]): string {
  const digest = createHash('sha512').update(parts.join('\0')).digest();
  return ID_PREFIX[kind] + base62(digest).padEnd(LENGTH, '0');
}

/** The part behind the prefix: a job `ftjob-abc` makes the version `ft:<base>:<project>:<suffix>:abc`. */
export const idSuffix = (kind: IdKind, id: string): string => id.slice(ID_PREFIX[kind].length);
