import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  type CompiledCache,
  type CompileOptions,
  compileKept,
  type Executable,
  GraphBuilder,
  gradients,
  type Inspection,
  linear,
  matmul,
  reduceSum,
  silu,
  square,
  writeWeightsFile,
} from '../../src/index.js';
import { findKept, keep } from '../../src/run/kept-graphs.js';
import { hasNativeInterface } from '../../src/run/session.js';
import type { GraphSettings } from '../../src/run/written-graph.js';

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

const bytesIn = async (executable: Executable): Promise<string[]> => {
  const results = await executable.run({ x: noise(ROWS * WIDTH, 3), a: noise(8 * WIDTH, 4) });
  await executable.release();
  return Object.values(results).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'));
};

interface Asked extends GraphSettings {
  outputs: CompileOptions['outputs'];
  cache?: CompiledCache;
  /** default: the same for all */
  recipe?: string;
  onBuild?: () => void;
}

const compiled = ({ outputs, cache, recipe = 'recipe', onBuild, ...settings }: Asked) => {
  const build = () => {
    onBuild?.();
    return { outputs, notes: { of: recipe } };
  };
  return compileKept({ recipe, build }, { threads: 2, ...settings }, cache);
};

const bytesOf = async (asked: Asked): Promise<string[]> => {
  const { executable, notes } = await compiled(asked);
  expect(notes).toEqual({ of: asked.recipe ?? 'recipe' });
  return bytesIn(executable);
};

/** What must not happen. */
const refuse = (): never => {
  throw new Error('the graph was built');
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
    expect(await bytesOf({ outputs, engineInterface, cache, onBuild: refuse })).toEqual(plain);
    expect((await stat(join(cache.folder, entry!, 'weights.bin'))).mtimeMs).toBe(written.mtimeMs);
  },
);

test('it is said when ONNX Runtime is asked for the session, of a graph that is built, kept or neither', async () => {
  const cache = cacheIn(join(await temporary(), 'graphs'));
  const outputs = await outputsOver();
  const told = async (of?: CompiledCache): Promise<string[]> => {
    const events: string[] = [];
    const build = () => {
      events.push('built');
      return { outputs, notes: null };
    };
    const { executable } = await compileKept({ recipe: 'recipe', build }, { threads: 1 }, of, () => events.push('asked for'));
    await executable.release();
    return [...events, 'there'];
  };
  expect(await told()).toEqual(['built', 'asked for', 'there']);
  expect(await told(cache)).toEqual(['built', 'asked for', 'there']);
  expect(await told(cache)).toEqual(['asked for', 'there']);
});

test('other weights, another recipe, another precision and other packing are other entries', async () => {
  const folder = await temporary();
  const outputs = await outputsOver();
  const first = await bytesOf({ outputs, cache: cacheIn(folder) });
  const other = await bytesOf({ outputs: await outputsOver(2), cache: cacheIn(folder, { weights: 'others' }) });
  expect(other).not.toEqual(first);
  await bytesOf({ outputs: { loss: outputs['loss']!, da: outputs['da']! }, recipe: 'another', cache: cacheIn(folder) });
  await bytesOf({ outputs, cache: cacheIn(folder), prepacking: false });
  await bytesOf({ outputs, cache: cacheIn(folder), precision: 'float16' });
  expect(await readdir(folder)).toHaveLength(5);
  // Neither threads nor where files lie change what is kept.
  await bytesOf({ outputs, cache: cacheIn(folder), threads: 1, spinning: true, folder: await temporary(), onBuild: refuse });
});

test('a kept graph that passed an inspection is not built to be asked the same again; another question is asked, and may refuse', async () => {
  const cache = cacheIn(join(await temporary(), 'graphs'));
  const outputs = await outputsOver();
  const asked: string[] = [];
  const inspectionOf = (question: string, refusal?: Error): Inspection => ({
    question: () => question,
    inspect(graph) {
      expect(graph.values.length).toBeGreaterThan(0);
      asked.push(question);
      if (refusal) throw refusal;
    },
  });
  await bytesOf({ outputs, cache, inspection: inspectionOf('first') });
  await bytesOf({ outputs, cache, inspection: inspectionOf('first'), onBuild: refuse });
  await bytesOf({ outputs, cache, inspection: inspectionOf('second') });
  await bytesOf({ outputs, cache, inspection: inspectionOf('second'), onBuild: refuse });
  expect(asked).toEqual(['first', 'second']);
  const refusal = new Error('too large');
  for (let times = 0; times < 2; times++)
    await expect(compiled({ outputs, cache, inspection: inspectionOf('third', refusal) })).rejects.toBe(refusal);
  expect(asked).toEqual(['first', 'second', 'third', 'third']);
});

test.each(['model.onnx', 'weights.bin', 'notes.json'])(
  'where the %s of an entry is cut off, the graph is compiled and kept anew',
  async (name) => {
    const cache = cacheIn(join(await temporary(), 'graphs'));
    const outputs = await outputsOver();
    const plain = await bytesOf({ outputs, cache });
    const [entry] = await readdir(cache.folder);
    const file = join(cache.folder, entry!, name);
    await truncate(file, (await stat(file)).size >> 1);
    expect(await bytesOf({ outputs, cache })).toEqual(plain);
    expect(await bytesOf({ outputs, cache, onBuild: refuse })).toEqual(plain);
  },
);

test('two that keep the same graph at once write to places of their own, and one of them is kept whole', async () => {
  const cache = cacheIn(join(await temporary(), 'graphs'));
  const face = { inputs: [], outputs: {}, declared: [] };
  const places: string[] = [];
  let both: () => void;
  const begun = new Promise<void>((resolve) => {
    both = resolve;
  });
  const keeping = (words: string): Promise<string> =>
    keep(cache, 'key', { face, notes: words }, async (model) => {
      if (places.push(model) === 2) both();
      await begun;
      await writeFile(model, words);
      return words;
    });
  expect(await Promise.all([keeping('one'), keeping('other')])).toEqual(['one', 'other']);
  expect(new Set(places).size).toBe(2);
  const kept = await findKept(cache, 'key');
  expect(await readFile(kept!.model, 'utf8')).toBe(kept!.notes);
  expect(await readdir(cache.folder)).toEqual(['key']);
});

test('a graph that is compiled twice at once is kept once, and gives the same bytes', async () => {
  const cache = cacheIn(join(await temporary(), 'graphs'));
  const outputs = await outputsOver();
  const plain = await bytesOf({ outputs });
  expect(await Promise.all([bytesOf({ outputs, cache }), bytesOf({ outputs, cache }), bytesOf({ outputs, cache })])).toEqual([
    plain,
    plain,
    plain,
  ]);
  expect(await readdir(cache.folder)).toHaveLength(1);
  expect(await bytesOf({ outputs, cache, onBuild: refuse })).toEqual(plain);
});

test('what a killed process left half written goes; what another one is writing stays', async () => {
  const folder = await temporary();
  const dead = spawnSync(process.execPath, ['--version']).pid;
  for (const name of [`abc.${dead}.partial`, `abc.${dead}.partial-0aZ9bc`, `abc.${process.ppid}.partial-0aZ9bc`]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'weights.bin'), 'half');
  }
  await bytesOf({ outputs: await outputsOver(), cache: cacheIn(folder) });
  const names = await readdir(folder);
  expect(names.filter((name) => name.startsWith('abc'))).toEqual([`abc.${process.ppid}.partial-0aZ9bc`]);
});

test('beyond its bound the entries unused for longest go; sessions that map one go on', async () => {
  const folder = await temporary();
  const outputs = await outputsOver();
  const plain = await bytesOf({ outputs });
  const { executable: session } = await compiled({ outputs, cache: cacheIn(folder) });
  const { executable: held } = await compiled({ outputs, cache: cacheIn(folder) });
  await bytesOf({ outputs, cache: cacheIn(folder, { weights: 'later', bytes: 100_000 }) });
  expect(await readdir(folder)).toHaveLength(1);
  for (const executable of [session, held]) {
    const { loss } = await executable.run({ x: noise(ROWS * WIDTH, 3), a: noise(8 * WIDTH, 4) });
    expect(Buffer.from(loss!.data.buffer).toString('base64')).toBe(plain[0]);
    await executable.release();
  }
});

test('a file that somebody left in the folder does not keep entries beyond the bound', async () => {
  const folder = await temporary();
  await writeFile(join(folder, '.DS_Store'), 'of somebody');
  const outputs = await outputsOver();
  for (const weights of ['first', 'second']) await bytesOf({ outputs, cache: cacheIn(folder, { weights, bytes: 100_000 }) });
  expect((await readdir(folder)).filter((name) => name !== '.DS_Store')).toHaveLength(1);
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
