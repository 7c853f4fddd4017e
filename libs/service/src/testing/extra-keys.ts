import { IDENTITY_HEADER, signIdentity } from '@tunefleet/contracts';
import type { App } from '../app.js';
import { at } from '../schema/check.js';
import type { Schema } from '../schema/convert.js';

const EXTRA = 'tf_extra_key';

const branchesOf = (schema: Schema): Schema[] =>
  ((schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined)?.flatMap(branchesOf) ?? [schema];

/** Any value of the schema's type, so that a required key is there; deeper rules are not met. */
function filler(schema: Schema): unknown {
  const [first = {}] = branchesOf(schema);
  if (Object.hasOwn(first, 'const')) return first['const'];
  if (Array.isArray(first['enum'])) return first['enum'][0];
  const type = [first['type']].flat()[0];
  if (type === 'object') return withRequired(first, {});
  if (type === 'array') return Array.from({ length: (first['minItems'] as number | undefined) ?? 0 }, () => filler(itemOf(first)));
  if (type === 'string') return 'x'.repeat(Math.max(1, (first['minLength'] as number | undefined) ?? 1));
  if (type === 'integer' || type === 'number') return (first['minimum'] as number | undefined) ?? 1;
  return type === 'boolean' ? true : null;
}

const itemOf = (schema: Schema): Schema => ([schema['items']].flat()[0] ?? {}) as Schema;

/** `given` first, so that the check meets it before the fillers. */
function withRequired(schema: Schema, given: Record<string, unknown>): Record<string, unknown> {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
  const body = { ...given };
  for (const [key, part] of Object.entries(properties)) {
    const constant = branchesOf(part).some((branch) => Object.hasOwn(branch, 'const'));
    const required = ((schema['required'] ?? []) as string[]).includes(key);
    if (!Object.hasOwn(body, key) && (required || (constant && key === 'type'))) body[key] = filler(part);
  }
  return body;
}

interface Case {
  path: string;
  body: unknown;
}

/** One body for each object the schema names at any level, with an extra key in that object. */
function casesOf(schema: Schema, path: string, depth = 0): Case[] {
  if (depth > 12) return [];
  const cases: Case[] = [];
  for (const branch of branchesOf(schema)) {
    if (branch['properties']) {
      if (branch['additionalProperties'] === undefined || branch['additionalProperties'] === false)
        cases.push({ path: at(path, EXTRA), body: withRequired(branch, { [EXTRA]: 1 }) });
      for (const [key, part] of Object.entries(branch['properties'] as Record<string, Schema>))
        for (const inner of casesOf(part, at(path, key), depth + 1))
          cases.push({ ...inner, body: withRequired(branch, { [key]: inner.body }) });
    }
    if (branch['items']) for (const inner of casesOf(itemOf(branch), at(path, 0), depth + 1)) cases.push({ ...inner, body: [inner.body] });
  }
  return cases;
}

/** Posts an extra key at each level of every body of the application; what is not refused as `unknown_parameter` by its path is a failure. */
export async function postExtraKeys(
  app: App,
  identityKey: string,
  headers: Record<string, string> = {},
): Promise<{ posted: number; failures: string[] }> {
  const identity = signIdentity({ project: 'default', keyId: 'key_test', scope: 'admin' }, identityKey);
  const failures: string[] = [];
  let posted = 0;
  for (const { method, url, schema } of app.bodies) {
    for (const { path, body } of casesOf(schema as Schema, '')) {
      posted += 1;
      const response = await app.inject({
        method: method as 'POST',
        url: url.replace(/:\w+|\*/g, 'x'),
        headers: { [IDENTITY_HEADER]: identity, 'content-type': 'application/json', ...headers },
        payload: JSON.stringify(body),
      });
      const { code, param } = response.json<{ error?: { code?: string; param?: string } }>().error ?? {};
      if (response.statusCode !== 400 || code !== 'unknown_parameter' || param !== path)
        failures.push(`${method} ${url}: ${path} got ${response.statusCode} ${code} at ${param}`);
    }
  }
  return { posted, failures };
}
