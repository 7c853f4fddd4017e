import { JsonError, type JsonObject, type JsonValue, parseStrictJson } from '@tunefleet/strict-json';
import { columnAt, decodeUtf8, looksLikeUtf16 } from './encoding.js';
import type { Fault, FaultCode } from './fault.js';
import { ROW_LIMITS } from './limits.js';
import { type Line, readLines } from './lines.js';

/** One line of a JSONL file: an object with its text, or what is wrong with it. */
export type RawRow = { line: number; text: string; value: JsonObject } | { line: number; fault: Fault };

/**
 * The rows of a JSONL file as objects, one at a time. Blank lines at the end and a UTF-8 byte-order mark are passed over; a file in UTF-16 is one
 * fault, after which reading stops.
 */
export async function* readRows(source: AsyncIterable<Uint8Array>): AsyncGenerator<RawRow> {
  let blank: number | undefined;
  for await (const line of readLines(source, ROW_LIMITS.maxRowBytes)) {
    if (line.number === 1 && line.bytes && looksLikeUtf16(line.bytes)) {
      yield fault(1, 1, 'invalid_encoding', 'the file looks like UTF-16; expected UTF-8');
      return;
    }
    if (isBlank(line)) {
      blank ??= line.number;
      continue;
    }
    if (blank !== undefined) yield fault(blank, 1, 'invalid_json', 'expected a JSON object, found a blank line');
    blank = undefined;
    yield parseLine(line);
  }
}

function parseLine({ number, bytes }: Line): RawRow {
  if (!bytes) return fault(number, 1, 'row_too_large', `the row has more than ${ROW_LIMITS.maxRowBytes} bytes`);
  const decoded = decodeUtf8(number === 1 ? withoutMark(bytes) : bytes);
  if ('column' in decoded) return fault(number, decoded.column, 'invalid_encoding', 'expected UTF-8, found a byte that is none');
  const { text } = decoded;
  let value: JsonValue;
  try {
    value = parseStrictJson(text, { maxDepth: ROW_LIMITS.maxDepth });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return fault(number, columnAt(text, error.offset), JSON_CODES[error.code], error.message);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fault(number, columnAt(text, text.search(/\S/)), 'invalid_row', `expected a JSON object, found ${nameOf(value)}`);
  }
  return { line: number, text, value };
}

const JSON_CODES = {
  syntax: 'invalid_json',
  duplicate_key: 'invalid_json',
  too_deep: 'too_deep',
  lone_surrogate: 'invalid_encoding',
} as const satisfies Record<JsonError['code'], FaultCode>;

/** What a JSON value is, in words for a message. */
export function nameOf(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return { object: 'an object', string: 'text', number: 'a number', boolean: 'true or false' }[
    typeof value as 'object' | 'string' | 'number' | 'boolean'
  ];
}

function fault(line: number, column: number, code: FaultCode, message: string): RawRow {
  return { line, fault: { line, column, code, message } };
}

function isBlank({ bytes }: Line): boolean {
  return bytes?.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d) ?? false;
}

function withoutMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}
