import { describe, expect, test } from '@jest/globals';
import type { ModelFormatError } from '../src/errors.js';
import { GgufFile } from '../src/gguf/file.js';
import { bytesSource } from '../src/safetensors/source.js';
import { ARRAY, entry, ggufBytes, pair, STRING, text, U32, u32, u64 } from './gguf-bytes.js';

const failure = (bytes: Uint8Array): Promise<{ code: string; message: string }> =>
  GgufFile.from(bytesSource(bytes)).then(
    () => ({ code: 'accepted', message: '' }),
    ({ code, message }: ModelFormatError) => ({ code, message }),
  );

const magic = (letters: string, version: Buffer) => ({ start: Buffer.concat([Buffer.from(letters), version]) });
const good = ggufBytes({ pairs: [pair('a', U32, u32(1))], entries: [entry('w', [4], 0, 0)], data: 16 });
const arrayOf = (type: number, length: number | bigint) => pair('a', ARRAY, Buffer.concat([u32(type), u64(length)]));
const nested = (depth: number): Buffer =>
  depth === 0 ? Buffer.concat([u32(U32), u64(0)]) : Buffer.concat([u32(ARRAY), u64(1), nested(depth - 1)]);

test('the file that the cases below spoil is accepted', async () => {
  expect(await failure(good)).toEqual({ code: 'accepted', message: '' });
});

describe.each<[string, Uint8Array, string, string]>([
  ['an empty file', new Uint8Array(), 'truncated', 'ends within its header'],
  ['another magic', ggufBytes(magic('GGML', u32(3))), 'not_gguf', 'begins with the letters GGUF'],
  ['version 1', ggufBytes(magic('GGUF', u32(1))), 'not_supported', 'GGUF version 1 is not supported'],
  ['version 2', ggufBytes(magic('GGUF', u32(2))), 'not_supported', 'GGUF version 2 is not supported'],
  ['version 4', ggufBytes(magic('GGUF', u32(4))), 'not_supported', 'GGUF version 4 is not supported'],
  ['big-endian', ggufBytes(magic('GGUF', Buffer.from([0, 0, 0, 3]))), 'not_supported', 'big-endian'],
  ['a file that ends after its version', Buffer.concat([Buffer.from('GGUF'), u32(3)]), 'truncated', 'ends within its header'],
  ['2^60 tensors', ggufBytes({ tensorCount: 2n ** 60n }), 'truncated', 'the number of tensors: the file claims 1152921504606846976'],
  ['2^32 pairs', ggufBytes({ pairCount: 2 ** 32 }), 'truncated', 'the number of metadata pairs: the file claims 4294967296'],
  ['a key of 2^63 bytes', ggufBytes({ pairs: [u64(2n ** 63n)], pairCount: 0, tensorCount: 1 }), 'truncated', 'the number of tensors'],
  ['a text longer than the file', ggufBytes({ pairs: [pair('a', STRING, u64(1000))], data: 64 }), 'truncated', 'metadata `a`, its length'],
  ['an array of 2^40 texts', ggufBytes({ pairs: [arrayOf(STRING, 2n ** 40n)] }), 'truncated', 'metadata `a`, the length of an array'],
  ['arrays nested too deep', ggufBytes({ pairs: [pair('a', ARRAY, nested(9))] }), 'invalid_metadata', 'too deep'],
  [
    'an unknown value type',
    ggufBytes({ pairs: [pair('a', 13, u32(0))] }),
    'invalid_metadata',
    'metadata `a` has the unknown value type 13',
  ],
  ['an array of an unknown type', ggufBytes({ pairs: [arrayOf(99, 0)] }), 'invalid_metadata', 'unknown value type 99'],
  ['a flag of value 2', ggufBytes({ pairs: [pair('a', 7, Buffer.from([2]))] }), 'invalid_metadata', 'a flag of value 2'],
  [
    'a text that is not UTF-8',
    ggufBytes({ pairs: [pair('a', STRING, text(Buffer.from([0xff])))] }),
    'invalid_metadata',
    'metadata `a` is not UTF-8',
  ],
  ['a key twice', ggufBytes({ pairs: [pair('a', U32, u32(1)), pair('a', U32, u32(1))] }), 'duplicate_key', 'metadata `a` is there twice'],
  [
    'a tensor twice',
    ggufBytes({ entries: [entry('w', [4], 0, 0), entry('w', [4], 0, 32)], data: 48 }),
    'invalid_entry',
    'tensor `w` is there twice',
  ],
  [
    'a name of 65 bytes',
    ggufBytes({ entries: [entry('w'.repeat(65), [4], 0, 0)], data: 16 }),
    'invalid_metadata',
    '65 bytes; 64 are allowed',
  ],
  ['no dimensions', ggufBytes({ entries: [entry('w', [], 0, 0)], data: 16 }), 'invalid_shape', '0 dimensions'],
  ['five dimensions', ggufBytes({ entries: [entry('w', [1, 1, 1, 1, 1], 0, 0)], data: 16 }), 'invalid_shape', '5 dimensions'],
  ['a dimension of 0', ggufBytes({ entries: [entry('w', [4, 0], 0, 0)] }), 'invalid_shape', 'shape [0, 4] is not possible'],
  ['a product that overflows', ggufBytes({ entries: [entry('w', [2 ** 40, 2 ** 40], 0, 0)] }), 'invalid_shape', 'is not possible'],
  ['a dimension of 2^64 - 1', ggufBytes({ entries: [entry('w', [2n ** 64n - 1n], 0, 0)] }), 'invalid_shape', 'is not possible'],
  [
    'part of a block',
    ggufBytes({ entries: [entry('w', [33], 2, 0)], data: 64 }),
    'invalid_shape',
    'rows of 33 values are no whole blocks of Q4_0 (32)',
  ],
  ['a type that exists and is not read', ggufBytes({ entries: [entry('w', [256], 13, 0)] }), 'not_supported', 'is of type Q5_K; F32, F16,'],
  ['a type that does not exist', ggufBytes({ entries: [entry('w', [256], 77, 0)] }), 'unknown_dtype', 'unknown type 77'],
  ['an offset off the alignment', ggufBytes({ entries: [entry('w', [4], 0, 8)], data: 24 }), 'misaligned', 'begins at 8'],
  ['an offset of 2^60', ggufBytes({ entries: [entry('w', [4], 0, 2n ** 60n)], data: 16 }), 'misaligned', 'begins at 1152921504606846976'],
  ['an alignment of 0', ggufBytes({ pairs: [pair('general.alignment', U32, u32(0))] }), 'misaligned', '`general.alignment` is 0'],
  ['an alignment of 24', ggufBytes({ pairs: [pair('general.alignment', U32, u32(24))] }), 'misaligned', '`general.alignment` is 24'],
  [
    'tensors that overlap',
    ggufBytes({ entries: [entry('v', [16], 0, 0), entry('w', [4], 0, 32)], data: 64 }),
    'overlap',
    'tensor `w` overlaps',
  ],
  [
    'two tensors on the same bytes',
    ggufBytes({ entries: [entry('v', [4], 0, 0), entry('w', [4], 0, 0)], data: 16 }),
    'overlap',
    'overlaps',
  ],
  [
    'a hole between tensors',
    ggufBytes({ entries: [entry('v', [4], 0, 0), entry('w', [4], 0, 64)], data: 80 }),
    'hole',
    'bytes before tensor `w`',
  ],
  ['a tensor beyond the end', ggufBytes({ entries: [entry('w', [8], 0, 0)], data: 31 }), 'truncated', 'tensor `w` ends at byte'],
  [
    'bytes after the last tensor',
    ggufBytes({ entries: [entry('w', [8], 0, 0)], data: 65 }),
    'trailing_bytes',
    '33 bytes after the last tensor',
  ],
])('%s', (_name, bytes, code, message) => {
  test(`is ${code}`, async () => {
    expect(await failure(bytes)).toEqual({ code, message: expect.stringContaining(message) });
  });
});

test('a file cut anywhere within its header or its tensor is truncated, never anything else', async () => {
  for (let length = 0; length < good.length; length++) {
    expect([length, (await failure(good.subarray(0, length))).code]).toEqual([length, 'truncated']);
  }
});

test('another alignment is kept to', async () => {
  const pairs = [pair('general.alignment', U32, u32(64))];
  const entries = [entry('v', [4], 0, 0), entry('w', [4], 0, 64)];
  const file = await GgufFile.from(bytesSource(ggufBytes({ pairs, entries, data: 80, alignment: 64 })));
  expect([file.info('v').begin % 64, file.info('w').begin - file.info('v').begin]).toEqual([0, 64]);
});
