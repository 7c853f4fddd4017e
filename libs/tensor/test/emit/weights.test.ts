import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { compile, evaluate, type FrozenSource, GraphBuilder, matmul, writeWeightsFile } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'tunefleet-weights-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
let next = 0;
const emptyFolder = (): string => mkdtempSync(join(folder, `graph-${next++}-`));

const weights = Float32Array.from({ length: 12 }, (_, at) => at / 8);
const x = Float32Array.from([1, 2, 3, 4]);

const product = async (source: FrozenSource, graphFolder?: string): Promise<number[]> => {
  const g = new GraphBuilder();
  const y = matmul(g.input('x', 'f32', [1, 4]), g.frozen('w', [4, 3], source));
  const executable = await compile({ outputs: { y }, ...(graphFolder ? { folder: graphFolder } : {}) });
  const { data } = (await executable.run({ x }))['y']!;
  await executable.release();
  expect([...data]).toEqual([...evaluate({ y }, { x })['y']!.data]);
  return [...data];
};

test('frozen weights come from memory, from a written file, and from the middle of a file as a safetensors folder has it', async () => {
  const expected = await product({ data: weights });
  const sources = await writeWeightsFile(join(folder, 'weights.bin'), [
    ['other', new Float32Array(5)],
    ['w', weights],
  ]);
  expect(sources['w']).toEqual({ file: join(folder, 'weights.bin'), offset: 64 });
  expect(await product(sources['w']!)).toEqual(expected);
  // Safetensors: a length, a JSON header, then tensors at offsets that are aligned to nothing much.
  const header = Buffer.from('{"w":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]}}');
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([Buffer.alloc(8, header.length), header, Buffer.from(weights.buffer)]));
  expect(await product({ file: join(folder, 'model.safetensors'), offset: 8 + header.length })).toEqual(expected);
});

test('weights in a file are linked beside the model, not copied', async () => {
  const sources = await writeWeightsFile(join(folder, 'shared.bin'), [['w', weights]]);
  const graphFolder = emptyFolder();
  await product(sources['w']!, graphFolder);
  expect(readdirSync(graphFolder).sort()).toEqual(['external-1.bin', 'model.onnx']);
  expect(statSync(join(graphFolder, 'external-1.bin')).ino).toBe(statSync(join(folder, 'shared.bin')).ino);
});

test('a temporary folder goes with its executable, a given one stays', async () => {
  const given = emptyFolder();
  await product({ data: weights }, given);
  expect(existsSync(join(given, 'model.onnx'))).toBe(true);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = emptyFolder();
  await product({ data: weights });
  expect(readdirSync(process.env['TMPDIR'])).toEqual([]);
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
});

test('a weight file that is missing or too short is an error at compile time', async () => {
  await expect(product({ file: join(folder, 'absent.bin'), offset: 0 })).rejects.toThrow('ENOENT');
  writeFileSync(join(folder, 'short.bin'), Buffer.alloc(40));
  await expect(product({ file: join(folder, 'short.bin'), offset: 0 })).rejects.toThrow();
});
