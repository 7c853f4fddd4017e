import { createHash } from 'node:crypto';
import { ApiError, LIMITS } from '@tunefleet/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const decoder = new TextDecoder('utf-8', { fatal: true });

function parse(bytes: Buffer): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new ApiError('invalid_json', 'The request body is not UTF-8.', { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid_json', `The request body is not valid JSON: ${(cause as Error).message.slice(0, 200)}`, { cause });
  }
}

const poisonous = (key: string, value: unknown): boolean =>
  key === '__proto__' || (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'));

/** Refuses keys that reach a prototype when objects are merged, and nesting that would exhaust the stack of whoever walks it. No recursion. */
function inspect(body: unknown): void {
  const open: { value: unknown; path: string; depth: number }[] = [{ value: body, path: '', depth: 1 }];
  for (let node = open.pop(); node; node = open.pop()) {
    const { value, path, depth } = node;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > LIMITS.bodyDepth) throw new ApiError('invalid_value', `The request body is nested deeper than ${LIMITS.bodyDepth} levels.`);
    const inArray = Array.isArray(value);
    for (const [key, child] of Object.entries(value)) {
      const param = inArray ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      if (!inArray && poisonous(key, child)) throw new ApiError('unknown_parameter', `Unknown parameter: '${param}'.`, { param });
      if (typeof child === 'object' && child !== null) open.push({ value: child, path: param, depth: depth + 1 });
    }
  }
}

/** JSON is the only body of its own accord (multipart is a plugin's); it is read strictly and its hash kept for `onceRequest`. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.decorateRequest('bodyHash', null);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => {
    request.bodyHash = createHash('sha256').update(bytes).digest('hex');
    if (bytes.length === 0) return undefined;
    const body = parse(bytes);
    inspect(body);
    return body;
  });
  app.addHook('preValidation', async (request) => {
    const { schema } = request.routeOptions;
    // SDKs post without body or content type where a body has no required key.
    if (schema?.body && request.body === undefined) request.body = {};
    if (schema?.body || request.body === undefined || request.body === null) return;
    if (typeof request.body !== 'object') throw new ApiError('invalid_type', 'Invalid type for the request body: expected an object.');
    const [key] = Object.keys(request.body);
    if (key !== undefined) throw new ApiError('unknown_parameter', `Unknown parameter: '${key}'.`, { param: key });
  });
}
