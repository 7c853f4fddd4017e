import { createHash } from 'node:crypto';
import type { EngineIdentity } from '@tunefleet/tensor';

/** Equal identities and settings, equal bytes. */
export function sameEngine(a: EngineIdentity, b: EngineIdentity): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** sha256 over settings, independent of the order of their keys. */
export function settingsHash(settings: unknown): string {
  return createHash('sha256').update(canonicalJson(settings)).digest('hex');
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`;
}
