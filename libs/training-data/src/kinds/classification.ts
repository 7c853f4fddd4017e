import type { JsonObject } from '@tunefleet/strict-json';
import type { RowFault } from '../rows/fault.js';
import { ROW_LIMITS } from '../rows/limits.js';
import { nameOf } from '../rows/reader.js';
import type { RowKind } from './kind.js';
import { unknownField } from './unknown-field.js';

/** `{"text": text, "label": text}` */
export interface ClassificationRow {
  text: string;
  label: string;
}

const FIELDS = ['text', 'label'] as const;

export const classification: RowKind<'classification'> = {
  name: 'classification',
  claims: (row) => Object.hasOwn(row, 'label'),
  check,
};

function check(row: JsonObject): RowFault | null {
  const { text, label } = row;
  if (typeof text !== 'string' || text === '')
    return { code: 'invalid_content', path: ['text'], message: `\`text\`: expected text that is not empty, found ${found(text)}` };
  if (typeof label !== 'string' || label.trim() === '')
    return { code: 'invalid_label', path: ['label'], message: `\`label\`: expected the name of a class as text, found ${found(label)}` };
  const length = [...label].length;
  if (length > ROW_LIMITS.maxLabelCharacters) {
    const message = `\`label\` has ${length} characters; at most ${ROW_LIMITS.maxLabelCharacters} are allowed`;
    return { code: 'invalid_label', path: ['label'], message };
  }
  return unknownField(row, FIELDS, [], 'a classification row');
}

const found = (value: JsonObject[string] | undefined): string => (typeof value === 'string' ? 'an empty one' : nameOf(value));
