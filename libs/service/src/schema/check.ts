import type { ErrorCode } from '@tunefleet/contracts';
import type { Schema } from './convert.js';
import { checkUnion } from './unions.js';

type FaultCode = Extract<ErrorCode, 'invalid_value' | 'invalid_type' | 'missing_required_parameter' | 'unknown_parameter'>;

/** The first thing wrong with a value: where (`method.supervised.foo`, `messages[0].role`; '' is the whole) and what was expected there. */
export interface Fault {
  code: FaultCode;
  path: string;
  expected: string;
  got?: unknown;
}

export type Definitions = Record<string, Schema>;

export const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
export const at = (path: string, key: string | number): string =>
  typeof key === 'number' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;

const ARTICLE: Record<string, string> = {
  integer: 'an integer',
  object: 'an object',
  array: 'an array',
  null: 'null',
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
};
const isType = (type: string, value: unknown): boolean => {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'number') return typeof value === 'number' && Number.isFinite(value);
  return typeOf(value) === type;
};
export const listOfValues = (values: readonly unknown[]): string =>
  values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`;

function checkNumber(schema: Schema, value: number): string | null {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema as Record<string, number | undefined>;
  if (schema['type'] === 'integer' && !Number.isSafeInteger(value)) return 'an integer within 2^53';
  if (minimum !== undefined && value < minimum) return `a number of at least ${minimum}`;
  if (maximum !== undefined && value > maximum) return `a number of at most ${maximum}`;
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) return `a number above ${exclusiveMinimum}`;
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) return `a number below ${exclusiveMaximum}`;
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) return `a multiple of ${multipleOf}`;
  return null;
}

function checkString(schema: Schema, value: string): string | null {
  const { minLength, maxLength } = schema as Record<string, number | undefined>;
  // Lengths count code points; a text's UTF-16 length is never less than that.
  const length = () => [...value].length;
  if (minLength !== undefined && (value.length < minLength || length() < minLength)) return `at least ${minLength} character(s)`;
  if (maxLength !== undefined && value.length > maxLength && length() > maxLength) return `at most ${maxLength} character(s)`;
  const pattern = schema['pattern'];
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) return `a text that matches ${pattern}`;
  return null;
}

function checkArray(schema: Schema, value: unknown[], path: string, definitions: Definitions): Fault | null {
  const { minItems, maxItems } = schema as Record<string, number | undefined>;
  if (minItems !== undefined && value.length < minItems) return { code: 'invalid_value', path, expected: `at least ${minItems} item(s)` };
  if (maxItems !== undefined && value.length > maxItems) return { code: 'invalid_value', path, expected: `at most ${maxItems} item(s)` };
  if (schema['uniqueItems'] && new Set(value.map((item) => JSON.stringify(item))).size < value.length)
    return { code: 'invalid_value', path, expected: 'items that differ' };
  const items = schema['items'] as Schema | Schema[] | undefined;
  if (!items) return null;
  for (const [index, item] of value.entries()) {
    const part = Array.isArray(items) ? items[index] : items;
    if (!part) return { code: 'invalid_value', path, expected: `at most ${(items as Schema[]).length} item(s)` };
    const fault = checkAt(part, item, at(path, index), definitions);
    if (fault) return fault;
  }
  return null;
}

function checkObject(schema: Schema, value: Record<string, unknown>, path: string, definitions: Definitions): Fault | null {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
  const patterns = Object.entries((schema['patternProperties'] ?? {}) as Record<string, Schema>);
  const rest = schema['additionalProperties'] as Schema | boolean | undefined;
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  const known = (key: string): Schema | boolean | undefined => {
    if (Object.hasOwn(properties, key)) return properties[key];
    return patterns.find(([pattern]) => new RegExp(pattern, 'u').test(key))?.[1] ?? rest;
  };
  for (const key of keys)
    if (known(key) === false) return { code: 'unknown_parameter', path: at(path, key), expected: 'no such parameter' };
  for (const key of (schema['required'] ?? []) as string[])
    if (!Object.hasOwn(value, key) || value[key] === undefined)
      return { code: 'missing_required_parameter', path: at(path, key), expected: 'a value' };
  const { minProperties, maxProperties } = schema as Record<string, number | undefined>;
  if (minProperties !== undefined && keys.length < minProperties)
    return { code: 'invalid_value', path, expected: `at least ${minProperties} key(s)` };
  if (maxProperties !== undefined && keys.length > maxProperties)
    return { code: 'invalid_value', path, expected: `at most ${maxProperties} key(s)` };
  const names = schema['propertyNames'] as Schema | undefined;
  for (const key of keys) {
    const name = names ? checkString(names, key) : null;
    if (name) return { code: 'invalid_value', path: at(path, key), expected: `a key of ${name}` };
    const part = known(key);
    const fault = typeof part === 'object' ? checkAt(part, value[key], at(path, key), definitions) : null;
    if (fault) return fault;
  }
  return null;
}

/** Checks one node; `definitions` are the `$defs` seen so far. */
export function checkAt(schema: Schema, value: unknown, path: string, inherited: Definitions): Fault | null {
  const definitions = schema['$defs'] ? { ...inherited, ...(schema['$defs'] as Definitions) } : inherited;
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const target = definitions[reference.replace(/^#\/\$defs\//, '')];
    if (!target) throw new Error(`schema reference ${reference} leads nowhere`);
    return checkAt(target, value, path, definitions);
  }
  const branches = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (branches) return checkUnion(branches, value, path, definitions);
  const choices = Object.hasOwn(schema, 'const') ? [schema['const']] : (schema['enum'] as unknown[] | undefined);
  if (choices && !choices.includes(value)) {
    const code = choices.some((choice) => typeOf(choice) === typeOf(value)) ? 'invalid_value' : 'invalid_type';
    return { code, path, expected: listOfValues(choices), got: value };
  }
  const types = schema['type'] === undefined ? [] : ([schema['type']].flat() as string[]);
  if (types.length > 0 && !types.some((type) => isType(type, value))) {
    return { code: 'invalid_type', path, expected: types.map((type) => ARTICLE[type] ?? type).join(' or '), got: value };
  }
  for (const part of (schema['allOf'] ?? []) as Schema[]) {
    const fault = checkAt(part, value, path, definitions);
    if (fault) return fault;
  }
  if (Array.isArray(value)) return checkArray(schema, value, path, definitions);
  if (typeof value === 'object' && value !== null) return checkObject(schema, value as Record<string, unknown>, path, definitions);
  const expected = typeof value === 'number' ? checkNumber(schema, value) : typeof value === 'string' ? checkString(schema, value) : null;
  return expected === null ? null : { code: 'invalid_value', path, expected, got: value };
}

/** The first fault of `value` under a JSON Schema (the subset that TypeBox writes and `supported.ts` lists), or null. */
export const checkSchema = (schema: object, value: unknown): Fault | null => checkAt(schema as Schema, value, '', {});
