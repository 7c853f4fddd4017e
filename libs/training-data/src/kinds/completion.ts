import type { JsonObject } from '@tunefleet/strict-json';
import type { RowFault } from '../rows/fault.js';
import { nameOf } from '../rows/reader.js';
import type { RowKind } from './kind.js';
import { unknownField } from './unknown-field.js';

/** `{"prompt": text, "completion": text}` */
export interface CompletionRow {
  prompt: string;
  completion: string;
}

const FIELDS = ['prompt', 'completion'] as const;

export const completion: RowKind<'completion'> = {
  name: 'completion',
  claims: (row) => FIELDS.some((field) => Object.hasOwn(row, field)),
  check,
};

function check(row: JsonObject): RowFault | null {
  for (const field of FIELDS) {
    if (!Object.hasOwn(row, field))
      return { code: 'invalid_content', path: [field], message: `expected \`${field}\` beside the other field of a completion row` };
    if (typeof row[field] !== 'string') {
      return { code: 'invalid_content', path: [field], message: `\`${field}\`: expected text, found ${nameOf(row[field])}` };
    }
  }
  if (row['completion'] === '')
    return { code: 'invalid_content', path: ['completion'], message: '`completion` is empty: there is nothing to learn' };
  return unknownField(row, FIELDS, [], 'a completion row');
}
