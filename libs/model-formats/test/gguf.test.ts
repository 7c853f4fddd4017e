import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { modelPackage } from '../../../tools/model-packages.mjs';
import { GgufFile, openGguf } from '../src/gguf/file.js';
import { ggufLlama } from '../src/gguf/llama.js';
import { bytesSource } from '../src/safetensors/source.js';
import { float32Tensor } from '../src/safetensors/writer.js';
import { weightsSha256 } from '../src/weights-hash.js';
import { entry, ggufBytes, STRING, text, U32, u32, u64 } from './gguf-bytes.js';

const fixture = (name: string) => new URL(`fixtures/gguf/${name}`, import.meta.url).pathname;
const json = <T>(name: string) => JSON.parse(readFileSync(fixture(name), 'utf8')) as T;

interface TypeFixture {
  shape: number[];
  tensors: Record<string, { sha256: string; first: number[] }>;
}
const types = json<TypeFixture>('types.json');

test.each(Object.entries(types.tensors))('%s is dequantized to the bits that the gguf package gives', async (name, { sha256, first }) => {
  const file = await openGguf(fixture('types.gguf'));
  try {
    expect(file.info(`${name}.weight`)).toMatchObject({ dtype: name, shape: types.shape });
    const values = await file.float32(`${name}.weight`);
    expect([...values.subarray(0, 4)]).toEqual(first);
    expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')).toBe(sha256);
  } finally {
    await file.close();
  }
});

test('metadata of every kind is read', async () => {
  const file = await openGguf(fixture('types.gguf'));
  await file.close();
  expect(Object.fromEntries(file.metadata)).toMatchObject({
    'general.architecture': 'none',
    'test.large': 2n ** 60n,
    'test.texts': ['a', 'größe', ''],
    'test.numbers': [1, -2, 3],
    'test.flag': true,
    'test.float64': 0.1,
  });
});

test("a llama model comes out under Hugging Face's names, the rows of q and k put back", async () => {
  const file = await openGguf(fixture('llama.gguf'));
  try {
    const { config, shapes, float32 } = ggufLlama(file);
    expect(config).toEqual({
      hiddenSize: 16,
      intermediateSize: 24,
      layers: 2,
      heads: 4,
      keyValueHeads: 2,
      headSize: 4,
      vocabularySize: 20,
      maxPositions: 64,
      normEpsilon: 1e-5,
      ropeTheta: 10_000,
      tiedEmbeddings: true,
      bosTokenId: 1,
      eosTokenIds: [2],
      padTokenId: null,
    });
    const tensors = await Promise.all([...shapes].map(async ([name, shape]) => float32Tensor(name, shape, await float32(name))));
    expect(weightsSha256(tensors)).toBe(json<{ weights_sha256: string }>('llama.json').weights_sha256);
  } finally {
    await file.close();
  }
});

const base: Record<string, Buffer> = {
  'general.architecture': Buffer.concat([u32(STRING), text('llama')]),
  'llama.block_count': Buffer.concat([u32(U32), u32(1)]),
};
const settings: [string, Buffer, string][] = [
  ['general.architecture', Buffer.concat([u32(STRING), text('qwen2')]), 'metadata `general.architecture` = qwen2 is not supported'],
  ['llama.expert_count', Buffer.concat([u32(U32), u32(8)]), 'metadata `llama.expert_count` = 8 is not supported'],
  ['llama.rope.scaling.type', Buffer.concat([u32(STRING), text('yarn')]), 'metadata `llama.rope.scaling.type` = yarn is not supported'],
  [
    'llama.attention.sliding_window',
    Buffer.concat([u32(U32), u32(4096)]),
    'metadata `llama.attention.sliding_window` = 4096 is not supported',
  ],
];

test.each(settings)('%s that the engine does not compute is refused by name', async (key, value, message) => {
  const pairs = Object.entries({ ...base, [key]: value }).map(([name, bytes]) => Buffer.concat([text(name), bytes]));
  const file = await GgufFile.from(bytesSource(ggufBytes({ pairs })));
  expect(() => ggufLlama(file)).toThrow(expect.objectContaining({ code: 'not_supported', message }));
});

/** The small model with one more tensor of one value, its data at the end. */
function withTensor(name: string): Buffer {
  const bytes = readFileSync(fixture('llama.gguf'));
  const added = entry(name, [1], 0, 0);
  const count = Number(bytes.readBigUInt64LE(8));
  const end = bytes.lastIndexOf(Buffer.from('blk.1.')); // the last entry begins with its name's length
  const rank = bytes.readUInt32LE(end + Number(bytes.readBigUInt64LE(end - 8)));
  const headerEnd = end + Number(bytes.readBigUInt64LE(end - 8)) + 4 + rank * 8 + 12;
  const dataStart = Math.ceil(headerEnd / 32) * 32;
  const data = bytes.subarray(dataStart);
  const padded = Buffer.concat([data, Buffer.alloc((32 - (data.length % 32)) % 32)]);
  added.writeBigUInt64LE(BigInt(padded.length), added.length - 8);
  const header = Buffer.concat([bytes.subarray(0, 8), u64(count + 1), bytes.subarray(16, headerEnd), added]);
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), padded, Buffer.alloc(4)]);
}

test.each([
  ['rope_freqs.weight', 'not_supported', 'scaled rotary positions'],
  ['blk.0.attn_q.bias', 'not_supported', 'biases'],
  ['blk.0.ffn_gate_inp.weight', 'not_supported', 'experts'],
  ['other.weight', 'unknown_tensor', 'no place'],
])('the tensor %s, which nothing would read, is refused', async (name, code, message) => {
  const file = await GgufFile.from(bytesSource(withTensor(name)));
  expect(() => ggufLlama(file)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});

const smol = modelPackage('smolLm2');
skipUnless(smol.path !== undefined, smol.missing)('SmolLM2-135M-Instruct has the config of its authors', async () => {
  const file = await openGguf(smol.path as string);
  try {
    const { config, shapes, float32 } = ggufLlama(file);
    expect(config).toMatchObject({
      hiddenSize: 576,
      layers: 30,
      heads: 9,
      keyValueHeads: 3,
      normEpsilon: 1e-5,
      ropeTheta: 100_000,
      tiedEmbeddings: true,
    });
    expect(shapes.size).toBe(272);
    const norm = await float32('model.norm.weight');
    expect([norm.length, norm.every(Number.isFinite)]).toEqual([576, true]);
  } finally {
    await file.close();
  }
});
