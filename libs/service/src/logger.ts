import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const SECRET_KEYS = [
  'authorization',
  'x-tunefleet-identity',
  'cookie',
  'key',
  'api_key',
  'apiKey',
  'secret',
  'secretKey',
  'password',
  'signingKey',
];
const SECRET_QUERY = /([?&](?:signature|x-amz-[a-z-]+|awsaccesskeyid|token|key)=)[^&\s"']*/gi;

/** Text without what signs it: presigned URLs are bearer secrets while they live; API keys begin with `tf-` or `sk-`. */
export const redactText = (text: string): string =>
  text
    .replace(SECRET_QUERY, '$1[redacted]')
    .replace(/\b(?:tf|sk)-[\w-]{16,}/g, '[redacted]')
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 [redacted]')
    .replace(/(\w+:\/\/)[^/\s:@]+:[^/\s@]+@/g, '$1[redacted]@');

/** JSON lines on stdout. Whatever is logged, known secrets are redacted: by key in objects, by shape within text. */
export function createLogger(name: string, level: string): Logger {
  return pino({
    name,
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]), censor: '[redacted]' },
    hooks: { streamWrite: redactText },
  });
}
