import { JsonError, type JsonObject, type JsonValue, parseStrictJson } from '@tunefleet/strict-json';
import { ModelFormatError } from '../errors.js';
import { byteLength, type Dtype, isDtype } from './dtype.js';

/** The library's own bound on a header, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Header -> tensor -> shape or offsets. */
const MAX_HEADER_DEPTH = 3;
/** Bytes in front of the header: its length as a little-endian 64-bit integer. */
export const LENGTH_BYTES = 8;

/** Where a tensor lies: `begin` and `end` count bytes from the start of the file. */
export interface TensorInfo {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  begin: number;
  end: number;
  /** The file's path, where a file was opened. */
  file?: string;
}

export interface SafetensorsHeader {
  metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * The length of the header, from the first nine bytes of a file (or all of a shorter file).
 * Errors: `pickle`, `not_safetensors`, `truncated`, `header_too_large`.
 */
export function headerLength(start: Uint8Array, fileBytes: number): number {
  refuseOtherFormats(start);
  if (fileBytes < LENGTH_BYTES || start.length < LENGTH_BYTES) {
    throw new ModelFormatError('truncated', `a safetensors file begins with an 8-byte header length; this file has ${fileBytes} bytes`);
  }
  const length = new DataView(start.buffer, start.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new ModelFormatError('header_too_large', `the header claims ${length} bytes; the format allows ${MAX_HEADER_BYTES}`);
  }
  const bytes = Number(length);
  if (LENGTH_BYTES + bytes > fileBytes) {
    throw new ModelFormatError('truncated', `the header claims ${bytes} bytes, the file has ${fileBytes - LENGTH_BYTES} after the length`);
  }
  return bytes;
}

/**
 * Checks a whole header against the format and against the size of its file.
 * `header` is what follows the length; `fileBytes` counts the whole file.
 */
export function parseHeader(header: Uint8Array, fileBytes: number): SafetensorsHeader {
  const entries = headerObject(header);
  const dataStart = LENGTH_BYTES + header.length;
  const metadata = parseMetadata(entries['__metadata__']);
  const tensors: TensorInfo[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name !== '__metadata__') tensors.push(parseEntry(name, entry, dataStart));
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(tensors, dataStart, fileBytes);
  return { metadata, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

function refuseOtherFormats(start: Uint8Array): void {
  // The length of a real header can begin with any byte, but after it comes `{`.
  if (start[LENGTH_BYTES] === 0x7b) return;
  const starts = (...bytes: number[]) => bytes.every((byte, index) => start[index] === byte);
  const zip = starts(0x50, 0x4b, 0x03, 0x04);
  const pickle = start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 && start[2] !== 0;
  if (zip || pickle) {
    throw new ModelFormatError(
      'pickle',
      'this is a Python pickle (a torch .pt or .bin file): reading it can run code. Convert it to safetensors',
    );
  }
  if (starts(0x47, 0x47, 0x55, 0x46)) throw new ModelFormatError('not_safetensors', 'this is a GGUF file, not safetensors');
}

function headerObject(header: Uint8Array): JsonObject {
  if (header[0] !== 0x7b) throw new ModelFormatError('not_safetensors', 'a safetensors header begins with `{`');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch (cause) {
    throw new ModelFormatError('header_not_utf8', 'the safetensors header is not UTF-8', { cause });
  }
  try {
    return parseStrictJson(text, { maxDepth: MAX_HEADER_DEPTH }) as JsonObject;
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    const code = cause.code === 'duplicate_key' ? 'duplicate_key' : 'header_not_json';
    throw new ModelFormatError(code, `the safetensors header, at character ${cause.offset + 1}: ${cause.message}`, { cause });
  }
}

function parseMetadata(value: JsonValue | undefined): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  if (!isObject(value)) throw new ModelFormatError('invalid_metadata', '`__metadata__` must be an object of strings');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw new ModelFormatError('invalid_metadata', `\`__metadata__.${key}\` must be a string`);
    metadata.set(key, text);
  }
  return metadata;
}

const ENTRY_KEYS = ['dtype', 'shape', 'data_offsets'];

function parseEntry(name: string, entry: JsonValue, dataStart: number): TensorInfo {
  if (!isObject(entry)) throw new ModelFormatError('invalid_entry', `tensor \`${name}\` must be an object`);
  for (const key of ENTRY_KEYS) {
    if (!Object.hasOwn(entry, key)) throw new ModelFormatError('invalid_entry', `tensor \`${name}\` lacks \`${key}\``);
  }
  for (const key of Object.keys(entry)) {
    if (!ENTRY_KEYS.includes(key)) throw new ModelFormatError('invalid_entry', `tensor \`${name}\` has the unknown key \`${key}\``);
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !isDtype(dtype)) {
    throw new ModelFormatError('unknown_dtype', `tensor \`${name}\`: dtype ${JSON.stringify(dtype)} is not one of the format's`);
  }
  if (!isNaturals(shape)) {
    throw new ModelFormatError(
      'invalid_shape',
      `tensor \`${name}\`: shape must be integers from 0 to 2^53 - 1, not ${JSON.stringify(shape)}`,
    );
  }
  if (!isNaturals(offsets) || offsets.length !== 2) {
    throw new ModelFormatError('invalid_entry', `tensor \`${name}\`: data_offsets must be two integers from 0 to 2^53 - 1`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = byteLength(dtype, shape);
  if (expected === undefined) {
    throw new ModelFormatError(
      'invalid_shape',
      `tensor \`${name}\`: shape [${shape.join(', ')}] of ${dtype} overflows, or leaves part of a byte`,
    );
  }
  if (end - begin !== expected) {
    throw new ModelFormatError(
      'size_mismatch',
      `tensor \`${name}\`: ${dtype} [${shape.join(', ')}] takes ${expected} bytes, its offsets span ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** Tensors follow one another from the first byte of data to the last of the file. */
function checkLayout(tensors: readonly TensorInfo[], dataStart: number, fileBytes: number): void {
  let at = dataStart;
  for (const { name, begin, end } of tensors) {
    if (begin > at) throw new ModelFormatError('hole', `${begin - at} bytes before tensor \`${name}\` belong to no tensor`);
    if (begin < at) throw new ModelFormatError('overlap', `tensor \`${name}\` overlaps the one before it by ${at - begin} bytes`);
    at = end;
  }
  if (at > fileBytes) throw new ModelFormatError('truncated', `the tensors end at byte ${at}, the file at ${fileBytes}`);
  if (at < fileBytes) throw new ModelFormatError('trailing_bytes', `${fileBytes - at} bytes after the last tensor belong to no tensor`);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNaturals(value: JsonValue | undefined): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((item) => typeof item === 'number' && Number.isSafeInteger(item) && item >= 0 && !Object.is(item, -0))
  );
}
