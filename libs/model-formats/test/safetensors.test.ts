import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { byteLength, type Dtype } from '../src/safetensors/dtype.js';
import { headerLength, parseHeader } from '../src/safetensors/header.js';
import { openSafetensors, SafetensorsFile, type Tensor, type TensorReader } from '../src/safetensors/reader.js';
import { bytesSource } from '../src/safetensors/source.js';
import { float32Tensor, serializeSafetensors } from '../src/safetensors/writer.js';
import { weightsSha256, weightsSha256Of } from '../src/weights-hash.js';

const fixture = (name: string) => new URL(`fixtures/python/${name}`, import.meta.url).pathname;

interface Expected {
  tensors: Record<string, { dtype: string; shape: number[]; float32: string[] | null }>;
  weights_sha256: string;
}

async function allTensors(reader: TensorReader): Promise<Tensor[]> {
  return Promise.all(
    reader.names.map(async (name) => {
      const { dtype, shape } = reader.info(name);
      return { name, dtype, shape, data: await reader.bytes(name) };
    }),
  );
}

test('reads what Python wrote: names, dtypes, shapes, float values bit for bit, the hash of the weights', async () => {
  const expected = JSON.parse(await readFile(fixture('mixed.json'), 'utf8')) as Expected;
  const file = await openSafetensors(fixture('mixed.safetensors'));
  expect(file.metadata).toEqual(new Map([['format', 'pt']]));
  expect(new Set(file.names)).toEqual(new Set(Object.keys(expected.tensors)));
  for (const name of file.names) {
    const { dtype, shape, float32 } = expected.tensors[name]!;
    expect(file.info(name)).toMatchObject({ dtype, shape });
    if (float32 === null) continue;
    const wanted = Float32Array.from(float32, (text) => Number(text.replace('inf', 'Infinity')));
    expect(await file.float32(name)).toEqual(wanted);
  }
  expect(await weightsSha256Of(file)).toBe(expected.weights_sha256);
  expect(weightsSha256(await allTensors(file))).toBe(expected.weights_sha256);
  await expect(file.float32('long')).rejects.toMatchObject({ code: 'not_supported' });
  await file.close();
});

test('writes the bytes that Python wrote', async () => {
  const bytes = await readFile(fixture('mixed.safetensors'));
  const tensors = await allTensors(await SafetensorsFile.from(bytesSource(bytes)));
  expect(Buffer.compare(serializeSafetensors(tensors, { format: 'pt' }), bytes)).toBe(0);
  expect(Buffer.compare(serializeSafetensors(tensors.reverse(), { format: 'pt' }), bytes)).toBe(0);
});

const tensor = fc
  .record({
    dtype: fc.constantFrom<Dtype>('F32', 'F16', 'BF16', 'I64', 'U8', 'BOOL', 'F64'),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    fill: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ dtype, shape, fill }) => ({ dtype, shape, data: new Uint8Array(byteLength(dtype, shape)!).fill(fill) }));
const tensors = fc
  .dictionary(fc.string({ unit: 'grapheme' }), tensor, { maxKeys: 8, noNullPrototype: false })
  .map((named) => Object.entries(named).map(([name, rest]) => ({ name, ...rest })));

test('what is written is read back, and the order of writing changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      tensors,
      fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
      async (written, metadata) => {
        fc.pre(!written.some(({ name }) => name === '__metadata__'));
        const bytes = serializeSafetensors(written, metadata);
        expect(Buffer.compare(serializeSafetensors([...written].reverse(), metadata), bytes)).toBe(0);
        const file = await SafetensorsFile.from(bytesSource(bytes));
        const read = await allTensors(file);
        expect(weightsSha256(read)).toBe(weightsSha256(written));
        expect(new Set(read.map(({ name }) => name))).toEqual(new Set(written.map(({ name }) => name)));
      },
    ),
  );
});

test('a file with any one byte changed is refused by a code or describes exactly its bytes', () => {
  const bytes = serializeSafetensors([float32Tensor('a', [2, 3], new Float32Array(6)), float32Tensor('b', [1], new Float32Array(1))]);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
      const changed = bytes.slice();
      changed[at] = value;
      try {
        const length = headerLength(changed.subarray(0, 9), changed.length);
        const { tensors: read } = parseHeader(changed.subarray(8, 8 + length), changed.length);
        for (const { dtype, shape, begin, end } of read.values()) expect(end - begin).toBe(byteLength(dtype, shape));
      } catch (error) {
        expect(error).toMatchObject({ name: 'ModelFormatError' });
      }
    }),
    { numRuns: 2000 },
  );
});

test('a name given twice, data that does not fill its shape and an impossible shape are refused', () => {
  const one = float32Tensor('a', [1], new Float32Array(1));
  expect(() => serializeSafetensors([one, one])).toThrow(expect.objectContaining({ code: 'invalid_entry' }));
  expect(() => serializeSafetensors([{ ...one, shape: [2] }])).toThrow(expect.objectContaining({ code: 'size_mismatch' }));
  expect(() => serializeSafetensors([{ ...one, shape: [-1] }])).toThrow(expect.objectContaining({ code: 'invalid_shape' }));
});
