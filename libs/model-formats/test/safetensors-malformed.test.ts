import { describe, expect, test } from '@jest/globals';
import type { ModelFormatError } from '../src/errors.js';
import { SafetensorsFile } from '../src/safetensors/reader.js';
import { bytesSource } from '../src/safetensors/source.js';

const file = (header: string | Uint8Array, data = 0, length?: bigint): Uint8Array => {
  const json = Buffer.from(header);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([start, json, Buffer.alloc(data)]);
};
const code = (bytes: Uint8Array): Promise<string> =>
  SafetensorsFile.from(bytesSource(bytes)).then(
    () => 'accepted',
    (error: ModelFormatError) => error.code,
  );
const f32 = (shape: unknown, begin: unknown, end: unknown) => JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe.each<[string, Uint8Array, string]>([
  ['an empty file', new Uint8Array(), 'truncated'],
  ['seven bytes', new Uint8Array(7), 'truncated'],
  ['a header longer than the file', file('{}', 0, 100n), 'truncated'],
  ['a header over 100,000,000 bytes', file('{}', 0, 100_000_001n), 'header_too_large'],
  ['a header of 2^64 - 1 bytes', file('{}', 0, 2n ** 64n - 1n), 'header_too_large'],
  ['an empty header', file('', 8), 'not_safetensors'],
  ['a header that starts with a space', file(' {}'), 'not_safetensors'],
  ['a header that is an array', file('[]'), 'not_safetensors'],
  ['a header with a byte-order mark', file('\ufeff{}'), 'not_safetensors'],
  ['a header that is not UTF-8', file(Buffer.concat([Buffer.from('{"'), Buffer.from([0xff]), Buffer.from('":1}')])), 'header_not_utf8'],
  ['a header that is not JSON', file('{"a":}'), 'header_not_json'],
  ['NUL padding', file('{}\0\0'), 'header_not_json'],
  ['a header nested too deep', file(`{"a":${'['.repeat(100_000)}`), 'header_not_json'],
  ['a tensor twice', file(`{"a":${f32([1], 0, 4)},"a":${f32([1], 0, 4)}}`, 4), 'duplicate_key'],
  ['a dtype twice', file('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4), 'duplicate_key'],
  ['a tensor that is a number', file('{"a":1}'), 'invalid_entry'],
  ['a tensor without shape', file('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4), 'invalid_entry'],
  ['a tensor with an extra key', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4), 'invalid_entry'],
  ['a tensor with __proto__', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"__proto__":{}}}', 4), 'invalid_entry'],
  ['a tensor whose keys are inherited from __proto__', file('{"a":{"__proto__":{"dtype":"F32"}}}'), 'invalid_entry'],
  ['an unknown dtype', file('{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}', 4), 'unknown_dtype'],
  ['a dtype that every object inherits', file('{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,4]}}', 4), 'unknown_dtype'],
  ['a negative dimension', file(`{"a":${f32([-1], 0, 4)}}`, 4), 'invalid_shape'],
  ['a fractional dimension', file(`{"a":${f32([0.5], 0, 2)}}`, 2), 'invalid_shape'],
  ['a dimension of 2^53', file('{"a":{"dtype":"F32","shape":[9007199254740993,0],"data_offsets":[0,0]}}'), 'invalid_shape'],
  ['a product that overflows', file(`{"a":${f32([2 ** 40, 2 ** 40], 0, 4)}}`, 4), 'invalid_shape'],
  ['a product that overflows to a small number in 64 bits', file(`{"a":${f32([2 ** 32, 2 ** 32], 0, 0)}}`), 'invalid_shape'],
  ['half a byte of F4', file('{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}', 1), 'invalid_shape'],
  ['three offsets', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', 4), 'invalid_entry'],
  ['an offset above 2^53', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[9007199254740992,9007199254740996]}}'), 'invalid_entry'],
  ['offsets backwards', file(`{"a":${f32([1], 4, 0)}}`, 4), 'size_mismatch'],
  ['offsets that span less than the shape', file(`{"a":${f32([2], 0, 4)}}`, 4), 'size_mismatch'],
  ['data before the first tensor', file(`{"a":${f32([1], 4, 8)}}`, 8), 'hole'],
  ['data between two tensors', file(`{"a":${f32([1], 0, 4)},"b":${f32([1], 8, 12)}}`, 12), 'hole'],
  ['two tensors on the same bytes', file(`{"a":${f32([1], 0, 4)},"b":${f32([1], 0, 4)}}`, 4), 'overlap'],
  ['two tensors that overlap in part', file(`{"a":${f32([2], 0, 8)},"b":${f32([2], 4, 12)}}`, 12), 'overlap'],
  ['a tensor beyond the end', file(`{"a":${f32([2], 0, 8)}}`, 7), 'truncated'],
  ['bytes after the last tensor', file(`{"a":${f32([2], 0, 8)}}`, 9), 'trailing_bytes'],
  ['metadata that is a number', file('{"__metadata__":{"a":1}}'), 'invalid_metadata'],
  ['metadata that is text', file('{"__metadata__":"a"}'), 'invalid_metadata'],
  ['a pickle of protocol 2', Buffer.from([0x80, 0x02, 0x63, 0x74, 0x6f, 0x72, 0x63, 0x68, 0x0a]), 'pickle'],
  ['a pickle of protocol 4', Buffer.from([0x80, 0x04, 0x95, 0x0a, 0, 0, 0, 0, 0, 0, 0]), 'pickle'],
  ['a zip, as torch.save writes', Buffer.from('PK\u0003\u0004\0\0\b\b\0\0\0\0'), 'pickle'],
  ['a GGUF file', Buffer.from('GGUF\u0003\0\0\0\0\0\0\0\0\0'), 'not_safetensors'],
])('%s', (_name, bytes, expected) => {
  test(`is ${expected}`, async () => {
    expect(await code(bytes)).toBe(expected);
  });
});

test('a header whose length begins with the bytes of a pickle is still read', async () => {
  const header = Buffer.from(`{}${' '.repeat(0x010280 - 2)}`);
  expect(await code(file(header))).toBe('accepted');
});

test('a tensor named __proto__ is a tensor', async () => {
  const opened = await SafetensorsFile.from(bytesSource(file(`{"__proto__":${f32([1], 0, 4)}}`, 4)));
  expect(opened.names).toEqual(['__proto__']);
});
