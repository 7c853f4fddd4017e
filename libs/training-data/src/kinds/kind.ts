import type { JsonObject } from '@tunefleet/strict-json';
import type { RowFault } from '../rows/fault.js';
import { chat } from './chat.js';
import { classification } from './classification.js';
import { completion } from './completion.js';

/** One row format. A later task (preference pairs, labels, spans) is one more entry of {@link KINDS}. */
export interface RowKind<Name extends string = string> {
  name: Name;
  /** Whether a row means to be of this kind, by its keys alone. */
  claims(row: JsonObject): boolean;
  /** The first fault of a row of this kind, or null. */
  check(row: JsonObject): RowFault | null;
}

/** In the order in which they are asked. */
export const KINDS = [chat, completion, classification] as const;

export type KindName = (typeof KINDS)[number]['name'];

export function kindOf(row: JsonObject): (typeof KINDS)[number] | undefined {
  return KINDS.find((kind) => kind.claims(row));
}
