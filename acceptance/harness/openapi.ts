import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { SHARED } from './environment.js';

interface Deviation {
  schema?: string;
  at?: string;
  add?: string[];
  nullable?: boolean;
  path?: string;
  method?: string;
  like?: string;
  reason: string;
}
type Json = Record<string, unknown>;
interface Operation {
  responses: Record<string, { content?: Record<string, { schema: Json }> }>;
}

const FILE = join(SHARED, 'data', 'openai-openapi', 'openapi-subset.json');
const DEVIATIONS = join(import.meta.dirname, '..', 'openapi-deviations.json');

/** The document speaks 3.1 but keeps words of 3.0: `nullable`, boolean `exclusiveMinimum`. */
function modernize(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(modernize);
  if (node === null || typeof node !== 'object') return node;
  const { nullable, discriminator: _discriminator, oneOf, ...rest } = node as Json;
  // branches of its oneOf overlap (a message with `type` is an EasyInputMessage and an EvalItem): one of them must hold
  if (oneOf !== undefined) rest['anyOf'] = oneOf;
  const out: Json = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, modernize(value)]));
  for (const [word, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof out[word] !== 'boolean') continue;
    if (out[word]) out[word] = out[bound];
    else delete out[word];
  }
  return nullable === true ? { anyOf: [out, { type: 'null' }] } : out;
}

function step(node: unknown, key: string): unknown {
  return (node as Json)[key];
}

function deviate(document: { paths: Json; components: { schemas: Json } }, deviation: Deviation): void {
  if (deviation.path && deviation.method && deviation.like) {
    const like = document.paths[deviation.like] as Json;
    document.paths[deviation.path] = { [deviation.method]: like[deviation.method] };
    return;
  }
  const keys = (deviation.at ?? '').split('/').slice(1);
  const last = keys.pop() ?? '';
  const parent = keys.reduce<unknown>(step, document.components.schemas[deviation.schema ?? '']) as Json | undefined;
  if (parent?.[last] === undefined)
    throw new Error(`a deviation names ${deviation.schema}${deviation.at}, which the document does not have`);
  parent[last] = deviation.add ? [...(parent[last] as string[]), ...deviation.add] : { anyOf: [parent[last], { type: 'null' }] };
}

/** Checks an answer against OpenAI's own document, deviations applied. `null` where the document is absent. */
export type ResponseCheck = (method: string, path: string, status: number, body: unknown) => string[];

export function loadResponseCheck(): ResponseCheck | null {
  let text: string;
  try {
    text = readFileSync(FILE, 'utf8');
  } catch {
    return null;
  }
  const document = modernize(JSON.parse(text)) as { paths: Record<string, Record<string, Operation>>; components: { schemas: Json } };
  for (const deviation of JSON.parse(readFileSync(DEVIATIONS, 'utf8')) as Deviation[]) deviate(document as never, deviation);
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'openai', components: document.components });
  const routes = Object.keys(document.paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
  }));
  const compiled = new Map<string, ValidateFunction>();

  return (method, path, status, body) => {
    const found = routes
      .filter((route) => route.pattern.test(path))
      .sort((a, b) => (a.template.match(/\{/g)?.length ?? 0) - (b.template.match(/\{/g)?.length ?? 0))[0];
    const operation = found && document.paths[found.template]?.[method.toLowerCase()];
    if (!found || !operation) return [];
    const response = operation.responses[String(status)];
    if (!response) return [`${method} ${path} answered ${status}; the document knows ${Object.keys(operation.responses).join(', ')}`];
    const schema = response.content?.['application/json']?.schema;
    if (!schema) return [];
    const key = `${method} ${found.template} ${status}`;
    let validate = compiled.get(key);
    if (!validate) {
      const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openai#/components')) as Json;
      validate = ajv.compile(absolute);
      compiled.set(key, validate);
    }
    if (validate(body)) return [];
    return (validate.errors ?? []).map((error) => `${key}: ${error.instancePath || '/'} ${error.message} (${error.schemaPath})`);
  };
}
