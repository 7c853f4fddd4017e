import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '@tunefleet/contracts';
import type { ObjectStore } from './object-store.js';

type Range = { start: number; end: number };

/** One range of `bytes=a-b`, `bytes=a-` or `bytes=-n`; null: no (usable) range asked for; 'unsatisfiable': 416. */
export function parseRange(header: string | undefined, size: number): Range | null | 'unsatisfiable' {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end ? 'unsatisfiable' : { start, end };
}

function refuse(response: ServerResponse, error: ApiError, headers: Record<string, string> = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(error.status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(error.toBody()));
}

/** Serves one signed request. `key`: what the signature allows, or null. Never rejects; a client that hangs up leaves nothing. */
export async function serveObject(
  store: ObjectStore,
  key: string | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (key === null)
      return refuse(response, new ApiError('insufficient_scope', 'This URL is not signed for this request, or has expired.'));
    if (request.method === 'PUT') {
      const { sha256 } = await store.put(key, request);
      response.writeHead(200, { 'content-length': '0', 'x-tunefleet-sha256': sha256 }).end();
    } else await send(store, key, request, response);
  } catch (error) {
    refuse(
      response,
      error instanceof ApiError ? error : new ApiError('internal_error', 'The object could not be transferred.', { cause: error }),
    );
  }
}

async function send(store: ObjectStore, key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const found = await store.head(key);
  if (!found) return refuse(response, new ApiError('not_found', 'There is no such object.'));
  const range = parseRange(request.headers.range, found.bytes);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${found.bytes}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: found.bytes - 1 };
  const body = found.bytes === 0 ? null : await store.get(key, { start, end });
  response.writeHead(range ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': String(end - start + 1),
    'accept-ranges': 'bytes',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(range ? { 'content-range': `bytes ${start}-${end}/${found.bytes}` } : {}),
  });
  if (body) await pipeline(body, response);
  else response.end();
}
