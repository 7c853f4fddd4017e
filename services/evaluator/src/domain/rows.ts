import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ApiError } from '@tunefleet/contracts';
import { CHUNK_ROWS, type Row } from '../store/run-objects.js';

/** One JSON line `{"item": {...}, "sample": {...}?}`. Errors: `invalid_json`, `invalid_row`, with the line. */
export function parseRow(text: string, line: number): Row {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid_json', `Line ${line} of the rows is not JSON.`, { param: 'data_source.source', cause });
  }
  const { item, sample } = (value ?? {}) as { item?: unknown; sample?: unknown };
  const isObject = (part: unknown): part is Record<string, unknown> => typeof part === 'object' && part !== null && !Array.isArray(part);
  if (!isObject(item)) throw new ApiError('invalid_row', `Line ${line} of the rows has no object 'item'.`, { param: 'data_source.source' });
  return isObject(sample) ? { item, sample } : { item };
}

/** Rows in chunks, in order; blank lines are passed over. */
export async function* chunked(source: Readable): AsyncGenerator<Row[]> {
  let chunk: Row[] = [];
  let line = 0;
  for await (const text of createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() === '') continue;
    chunk.push(parseRow(text, line));
    if (chunk.length < CHUNK_ROWS) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
