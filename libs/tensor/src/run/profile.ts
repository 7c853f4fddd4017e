import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** One execution of one node, in the order in which ONNX Runtime ran them. */
export interface ProfiledNode {
  /** the emitter's name: scope, primitive, operator; a node that ONNX Runtime fused has another */
  readonly node: string;
  readonly operator: string;
  /** microseconds from the session's start */
  readonly start: number;
  /** microseconds the kernel took */
  readonly duration: number;
}

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

const SUFFIX = '_kernel_time';

/** Reads what ONNX Runtime measured for a session that was compiled with `profile: prefix` and has been released. */
export const readProfile = (prefix: string): ProfiledNode[] => {
  const folder = dirname(prefix);
  const files = readdirSync(folder).filter((name) => name.startsWith(basename(prefix)) && name.endsWith('.json'));
  if (files.length !== 1) throw new Error(`${files.length} profiles begin with ${prefix}; a profile belongs to one released executable`);
  const events = JSON.parse(readFileSync(join(folder, files[0]!), 'utf8')) as TraceEvent[];
  return events
    .filter(({ cat, name }) => cat === 'Node' && name.endsWith(SUFFIX))
    .map(({ name, ts, dur, args }) => ({ node: name.slice(0, -SUFFIX.length), operator: args?.op_name ?? '', start: ts, duration: dur }))
    .sort((a, b) => a.start - b.start);
};
