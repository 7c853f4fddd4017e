import { ModelFormatError } from '../errors.js';
import type { Cursor } from './cursor.js';

/** A bigint only where a 64-bit integer leaves the integers that a double holds. */
export type GgufValue = number | bigint | boolean | string | GgufValue[];

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** The format's own bound on a key; texts in practice are chat templates. */
const MAX_KEY_BYTES = 65_535;
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
const MAX_ARRAY_DEPTH = 4;

/** The number of an array among the kinds below. */
const ARRAY = 9;

/** Number in the file -> the least bytes such a value takes, and how it is read. */
const KINDS: readonly { bytes: number; read: (cursor: Cursor, key: string) => GgufValue }[] = [
  { bytes: 1, read: (cursor) => cursor.uint8() },
  { bytes: 1, read: (cursor) => cursor.int8() },
  { bytes: 2, read: (cursor) => cursor.uint16() },
  { bytes: 2, read: (cursor) => cursor.int16() },
  { bytes: 4, read: (cursor) => cursor.uint32() },
  { bytes: 4, read: (cursor) => cursor.int32() },
  { bytes: 4, read: (cursor) => cursor.float32() },
  { bytes: 1, read: flag },
  { bytes: 8, read: (cursor, key) => cursor.text(`metadata \`${key}\``, MAX_TEXT_BYTES) },
  { bytes: 12, read: (cursor, key) => array(cursor, key, 1) },
  { bytes: 8, read: (cursor) => cursor.uint64() },
  { bytes: 8, read: (cursor) => cursor.int64() },
  { bytes: 8, read: (cursor) => cursor.float64() },
];

/** `count` pairs of key and value. Errors: `duplicate_key`, `invalid_metadata`, `truncated`. */
export function readMetadata(cursor: Cursor, count: number): GgufMetadata {
  const metadata = new Map<string, GgufValue>();
  for (let index = 0; index < count; index++) {
    const key = cursor.text(`key ${index + 1} of the metadata`, MAX_KEY_BYTES);
    if (metadata.has(key)) throw new ModelFormatError('duplicate_key', `metadata \`${key}\` is there twice`);
    metadata.set(key, kindOf(cursor.uint32(), key).read(cursor, key));
  }
  return metadata;
}

function array(cursor: Cursor, key: string, depth: number): GgufValue[] {
  const type = cursor.uint32();
  const kind = kindOf(type, key);
  if (depth > MAX_ARRAY_DEPTH) throw new ModelFormatError('invalid_metadata', `metadata \`${key}\`: arrays in arrays, too deep`);
  const length = cursor.count(kind.bytes, `metadata \`${key}\`, the length of an array`);
  const values: GgufValue[] = [];
  for (let index = 0; index < length; index++) values.push(type === ARRAY ? array(cursor, key, depth + 1) : kind.read(cursor, key));
  return values;
}

function kindOf(type: number, key: string): (typeof KINDS)[number] {
  const kind = KINDS[type];
  if (!kind) throw new ModelFormatError('invalid_metadata', `metadata \`${key}\` has the unknown value type ${type}`);
  return kind;
}

function flag(cursor: Cursor, key: string): boolean {
  const value = cursor.uint8();
  if (value > 1) throw new ModelFormatError('invalid_metadata', `metadata \`${key}\` is a flag of value ${value}; 0 and 1 are allowed`);
  return value === 1;
}
