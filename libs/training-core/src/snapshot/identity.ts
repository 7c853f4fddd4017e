import { createHash } from 'node:crypto';
import { engineVersion, kernelClass } from './engine.js';

/** What the bits of a run depend on besides its settings (docs: "Determinism"): equal identities, equal bytes. */
export interface EngineIdentity {
  onnxruntime: string;
  provider: string;
  arch: string;
  /** instruction set that ONNX Runtime's kernels are chosen by */
  kernel_class: string;
  threads: number;
}

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

/** Of this process. */
export function engineIdentity(threads: number): EngineIdentity {
  return { onnxruntime: engineVersion(), provider: 'cpu', arch: process.arch, kernel_class: kernelClass(), threads };
}
