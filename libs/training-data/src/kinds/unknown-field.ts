import type { JsonObject } from '@tunefleet/strict-json';
import type { RowFault } from '../rows/fault.js';

/** The first key that is not among `known`. */
export function unknownField(object: JsonObject, known: readonly string[], path: RowFault['path'], where: string): RowFault | null {
  const key = Object.keys(object).find((name) => !known.includes(name));
  if (key === undefined) return null;
  const shown = key.length > 60 ? `${key.slice(0, 60)}...` : key;
  return {
    code: 'unknown_field',
    path: [...path, key],
    message: `${where} has no field \`${shown}\`; expected ${known.map((name) => `\`${name}\``).join(', ')}`,
  };
}
