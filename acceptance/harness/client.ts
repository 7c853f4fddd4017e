import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import OpenAI, { type ClientOptions } from 'openai';
import { loadResponseCheck } from './openapi.js';

const check = loadResponseCheck();

/** Where the suite's fleet answers; written by global-setup, or given for a fleet that runs elsewhere. */
export const target = (): { url: string; key: string } => {
  const url = process.env['TUNEFLEET_URL'];
  const key = process.env['TUNEFLEET_API_KEY'];
  if (!url || !key)
    throw new Error(
      'no fleet: the acceptance suite is started by jest with its global set-up, or with TUNEFLEET_URL and TUNEFLEET_API_KEY',
    );
  return { url, key };
};

const inventory = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'routes.json'), 'utf8')) as Record<string, string[]>;
const routes = Object.values(inventory)
  .flat()
  .map((route) => {
    const [method, template] = route.split(' ') as [string, string];
    return { route, method, pattern: new RegExp(`^/v1${template.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`) };
  });

/** Routes that were called in this test file, as `METHOD /template` of routes.json. */
export const called = new Set<string>();
const faults: string[] = [];

function recordCall(method: string, path: string): void {
  const exact = routes.filter((r) => r.method === method && r.pattern.test(path));
  const best = exact.sort((a, b) => (a.route.match(/\{/g)?.length ?? 0) - (b.route.match(/\{/g)?.length ?? 0))[0];
  if (best) called.add(best.route);
}

/** Every answer is held against OpenAI's document, every refusal against its error object, and carries a request id. */
async function checkAnswer(method: string, url: URL, response: Response): Promise<void> {
  // the SDK probes its fetch with a data: URL
  if (url.protocol !== 'http:') return;
  recordCall(method, url.pathname);
  const where = `${method} ${url.pathname}: ${response.status}`;
  if (!response.headers.get('x-request-id')) faults.push(`${where} has no x-request-id`);
  if (!(response.headers.get('content-type') ?? '').includes('application/json')) return;
  const body = (await response.clone().json()) as { error?: Record<string, unknown> };
  if (response.ok) {
    if (check) faults.push(...check(method, url.pathname.replace(/^\/v1/, ''), response.status, body));
    return;
  }
  const { message, type, param, code } = body.error ?? {};
  const text = (value: unknown): boolean => typeof value === 'string' && value !== '';
  if (!text(message) || !text(type) || !text(code) || !(param === null || typeof param === 'string'))
    faults.push(`${where} has no OpenAI error object: ${JSON.stringify(body)}`);
}

export const checkedFetch: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  const response = await fetch(input, init);
  await checkAnswer(request.method, new URL(request.url), response);
  return response;
};

/** An unmodified `openai` client on the suite's fleet. No retries unless a test asks: a retry would hide a fault. */
export function openai(options: ClientOptions = {}): OpenAI {
  const { url, key } = target();
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, adminAPIKey: key, maxRetries: 0, fetch: checkedFetch, ...options });
}

/** A plain request to the gateway, for what no SDK would send. */
export async function raw(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{
  status: number;
  body: { error?: { code?: string; param?: string | null; message?: string; tunefleet?: unknown } } & Record<string, unknown>;
}> {
  const { url, key } = target();
  const isBytes = typeof body === 'string' || body instanceof Uint8Array;
  const response = await checkedFetch(`${url}/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined || isBytes ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isBytes ? (body as string) : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
});

if (!check)
  process.stderr.write("skipped: answers are not held against OpenAI's document, because TUNEFLEET_SHARED has no data/openai-openapi\n");
