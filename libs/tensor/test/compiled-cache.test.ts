import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  type CompiledCache,
  type CompileOptions,
  compile,
  GraphBuilder,
  gradients,
  linear,
  matmul,
  reduceSum,
  silu,
  square,
  writeWeightsFile,
} from '../src/index.js';
import { hasNativeInterface } from '../src/runtime/session.js';

const ROWS = 96;
const WIDTH = 64;
const noise = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, at) => Math.fround(Math.sin(at * 12.9898 + seed)));

const temporary = (): Promise<string> => mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-cache-'));

/** A frozen matrix from a file, read forward and backward, so that both of its packed copies are kept. */
const outputsOver = async (factor = 1): Promise<CompileOptions['outputs']> => {
  const file = join(await temporary(), 'weights');
  const { w } = await writeWeightsFile(file, [['w', noise(WIDTH * WIDTH, factor)]]);
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['n', WIDTH]);
  const a = g.parameter('a', [8, WIDTH]);
  const frozen = g.frozen('w', [WIDTH, WIDTH], w!);
  const y = linear(silu(linear(matmul(x, frozen), frozen)), a);
  const loss = reduceSum(square(y));
  const [dx, da] = gradients(loss, [x, a]);
  return { loss, dx, da };
};

const bytesOf = async (options: CompileOptions): Promise<string[]> => {
  const executable = await compile({ threads: 2, ...options });
  const results = await executable.run({ x: noise(ROWS * WIDTH, 3), a: noise(8 * WIDTH, 4) });
  await executable.release();
  return Object.values(results).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'));
};

const cacheIn = (folder: string, changes: Partial<CompiledCache> = {}): CompiledCache => ({ folder, weights: 'w', bytes: 1e9, ...changes });

test.each(hasNativeInterface() ? (['node', 'native'] as const) : (['node'] as const))(
  'a graph from the cache gives the bytes of one that was compiled, %s',
  async (engineInterface) => {
    const cache = cacheIn(join(await temporary(), 'graphs'));
    const outputs = await outputsOver();
    const plain = await bytesOf({ outputs, engineInterface });
    expect(await bytesOf({ outputs, engineInterface, cache })).toEqual(plain);
    const [entry, ...others] = await readdir(cache.folder);
    expect(others).toEqual([]);
    const written = await stat(join(cache.folder, entry!, 'weights.bin'));
    // The matrix and a packed copy of it for each way in which it is read.
    expect(written.size).toBeGreaterThanOrEqual(3 * 4 * WIDTH * WIDTH);
    expect(await bytesOf({ outputs, engineInterface, cache })).toEqual(plain);
    expect((await stat(join(cache.folder, entry!, 'weights.bin'))).mtimeMs).toBe(written.mtimeMs);
  },
);

test('other weights, another graph and other packing are other entries', async () => {
  const folder = await temporary();
  const outputs = await outputsOver();
  const first = await bytesOf({ outputs, cache: cacheIn(folder) });
  const other = await bytesOf({ outputs: await outputsOver(2), cache: cacheIn(folder, { weights: 'others' }) });
  expect(other).not.toEqual(first);
  await bytesOf({ outputs: { loss: outputs['loss']!, da: outputs['da']! }, cache: cacheIn(folder) });
  await bytesOf({ outputs, cache: cacheIn(folder), prepacking: false });
  expect(await readdir(folder)).toHaveLength(4);
});

test('what a killed process left half written goes; what another one is writing stays', async () => {
  const folder = await temporary();
  const dead = spawnSync(process.execPath, ['--version']).pid;
  for (const pid of [dead, process.ppid]) {
    await mkdir(join(folder, `abc.${pid}.partial`));
    await writeFile(join(folder, `abc.${pid}.partial`, 'weights.bin'), 'half');
  }
  await bytesOf({ outputs: await outputsOver(), cache: cacheIn(folder) });
  const names = await readdir(folder);
  expect(names).toContain(`abc.${process.ppid}.partial`);
  expect(names).not.toContain(`abc.${dead}.partial`);
});

test('beyond its bound the entries unused for longest go; sessions that map one go on', async () => {
  const folder = await temporary();
  const outputs = await outputsOver();
  const plain = await bytesOf({ outputs });
  const session = await compile({ outputs, threads: 2, cache: cacheIn(folder) });
  const held = await compile({ outputs, threads: 2, cache: cacheIn(folder) });
  await bytesOf({ outputs, cache: cacheIn(folder, { weights: 'later', bytes: 100_000 }) });
  expect(await readdir(folder)).toHaveLength(1);
  for (const executable of [session, held]) {
    const { loss } = await executable.run({ x: noise(ROWS * WIDTH, 3), a: noise(8 * WIDTH, 4) });
    expect(Buffer.from(loss!.data.buffer).toString('base64')).toBe(plain[0]);
    await executable.release();
  }
});

test('what would not fit the bound is not written at all', async () => {
  const folder = join(await temporary(), 'graphs');
  await bytesOf({ outputs: await outputsOver(), cache: cacheIn(folder, { bytes: 3 * 4 * WIDTH * WIDTH - 1 }) });
  await expect(readdir(folder)).rejects.toThrow('ENOENT');
});

test('a cache that cannot be written costs nothing but the time', async () => {
  const file = join(await temporary(), 'file');
  await writeFile(file, '');
  const outputs = await outputsOver();
  expect(await bytesOf({ outputs, cache: cacheIn(join(file, 'graphs')) })).toEqual(await bytesOf({ outputs }));
});
