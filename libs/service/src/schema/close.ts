import type { Schema } from './convert.js';

const ANNOTATIONS = ['$id', '$schema', 'title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', '$comment'];
const KEYWORDS = new Set([
  ...ANNOTATIONS,
  ...['type', 'const', 'enum', 'anyOf', 'oneOf', 'allOf', '$ref', '$defs'],
  ...['properties', 'required', 'additionalProperties', 'patternProperties', 'propertyNames', 'minProperties', 'maxProperties'],
  ...['items', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems'],
  ...['minLength', 'maxLength', 'pattern', 'contentEncoding', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
]);

const mapValues = (record: unknown, change: (schema: Schema) => Schema): Record<string, Schema> =>
  Object.fromEntries(Object.entries(record as Record<string, Schema>).map(([key, value]) => [key, change(value)]));

const rewrite = (schema: Schema, close: boolean): Schema => {
  const unknown = Object.keys(schema).find((key) => !KEYWORDS.has(key) && !key.startsWith('x-'));
  if (unknown) throw new Error(`schema keyword ${unknown} is not supported: it would not be checked`);
  const next = (part: Schema) => rewrite(part, close);
  const copy: Schema = { ...schema };
  for (const key of ['properties', 'patternProperties', '$defs']) if (copy[key]) copy[key] = mapValues(copy[key], next);
  for (const key of ['anyOf', 'oneOf', 'allOf']) if (copy[key]) copy[key] = (copy[key] as Schema[]).map(next);
  if (copy['items']) copy['items'] = Array.isArray(copy['items']) ? (copy['items'] as Schema[]).map(next) : next(copy['items'] as Schema);
  if (typeof copy['additionalProperties'] === 'object') copy['additionalProperties'] = next(copy['additionalProperties'] as Schema);
  if (!close) return copy;
  if (copy['allOf']) throw new Error('a body may not use an intersection: its parts cannot be closed; spread the properties instead');
  if (copy['properties'] && copy['additionalProperties'] === undefined && !copy['patternProperties']) copy['additionalProperties'] = false;
  return copy;
};

/** A copy in which every object refuses keys it does not name, at every level, unless it says otherwise itself. */
export const closeSchema = (schema: object): Schema => rewrite(schema as Schema, true);

/** Throws for a keyword that the check would pass over. */
export const supportedSchema = (schema: object): Schema => rewrite(schema as Schema, false);
