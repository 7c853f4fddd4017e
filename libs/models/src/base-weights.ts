import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LlamaConfig, llamaTensorShapes, openLlamaFolder, type TensorReader } from '@tunefleet/model-formats';
import { type FrozenSource, type GraphBuilder, placeWeightsFile, quantizeInt4, type Value, writeWeightsFile } from '@tunefleet/tensor';
import { llamaLinears } from './families/linears.js';

/** int4: the linear modules of the blocks in 4-bit blocks (GGUF's Q4_0); embeddings, norms and head stay float32. */
export type BasePrecision = 'float32' | 'int4';

/** A base model that does not change: its weights in files that every compiled graph maps. */
export interface BaseWeights {
  config: LlamaConfig;
  /** The weights as values of a graph, by name; each is made once. Those in 4-bit blocks only `linear` reads. */
  in(builder: GraphBuilder): (name: string) => Value;
  /** Removes the files. Graphs that were compiled keep it mapped. */
  release(): Promise<void>;
}

export interface BaseWeightsOptions {
  /** default: float32 */
  precision?: BasePrecision;
  /** an existing folder; default: the temporary one */
  scratch?: string;
}

/**
 * Opens a Hugging Face folder, which may go afterwards. The files lie in a folder of their own under `scratch` until `release`; a process
 * that is killed leaves them there.
 * Errors: those of model-formats.
 */
export async function openBaseWeights(folder: string, { precision = 'float32', scratch }: BaseWeightsOptions = {}): Promise<BaseWeights> {
  const { config, weights } = await openLlamaFolder(folder);
  const quantized = quantizedIn(config, precision);
  try {
    return { config, ...(await mapWeights(weights, llamaTensorShapes(config), scratch, quantized)) };
  } finally {
    await weights.close();
  }
}

/**
 * Tensors of an open model, likewise: those that are float32 where they lie, the `quantized` in 4-bit blocks and the others as float32 in
 * one file.
 */
export async function mapWeights(
  weights: TensorReader,
  shapes: ReadonlyMap<string, readonly number[]>,
  scratch = process.env['TMPDIR'] || tmpdir(),
  quantized: ReadonlySet<string> = new Set(),
): Promise<Pick<BaseWeights, 'in' | 'release'>> {
  const home = await mkdtemp(join(scratch, 'tunefleet-base-'));
  const release = (): Promise<void> => rm(home, { recursive: true, force: true });
  /** One tensor in memory at a time. */
  async function* parts(asTheyAre: Readonly<Record<string, unknown>>): AsyncGenerator<[name: string, data: Float32Array | Uint8Array]> {
    for (const [name, [rows, columns]] of shapes) {
      if (asTheyAre[name]) continue;
      const data = await weights.float32(name);
      if (!quantized.has(name)) {
        yield [name, data];
        continue;
      }
      const { codes, scales } = quantizeInt4(data, rows!, columns!);
      yield [codesOf(name), codes];
      yield [scalesOf(name), scales];
    }
  }
  try {
    const plain = [...shapes.keys()].filter((name) => !quantized.has(name));
    const asTheyAre = placedTensors(weights, plain, home);
    const sources = await writeWeightsFile(join(home, 'base.weights'), parts(asTheyAre));
    return { in: (builder) => frozenWeights(builder, shapes, { ...asTheyAre, ...sources }), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Bytes of an element: where a tensor begins at another multiple, it cannot be read as float32 in place. */
const ELEMENT_BYTES = 4;

/** Where the float32 tensors of safetensors files lie, under names of the files within `home`. */
function placedTensors(weights: TensorReader, names: readonly string[], home: string): Record<string, { file: string; offset: number }> {
  const links = new Map<string, string>();
  const linkOf = (file: string): string => {
    const known = links.get(file);
    if (known !== undefined) return known;
    const name = `base-${links.size}.safetensors`;
    placeWeightsFile(file, home, name);
    links.set(file, join(home, name));
    return join(home, name);
  };
  return Object.fromEntries(
    names.flatMap((name) => {
      const { file, dtype, begin } = weights.info(name);
      return file !== undefined && dtype === 'F32' && begin % ELEMENT_BYTES === 0 ? [[name, { file: linkOf(file), offset: begin }]] : [];
    }),
  );
}

/** Weights that a graph can be made of, not run: where their bytes lie is left open. */
export const unreadWeights = (config: LlamaConfig, precision: BasePrecision): BaseWeights['in'] =>
  unreadTensors(llamaTensorShapes(config), quantizedIn(config, precision));

/** The same of tensors by their shapes, of which the `quantized` are in 4-bit blocks. */
export function unreadTensors(shapes: ReadonlyMap<string, readonly number[]>, quantized: ReadonlySet<string>): BaseWeights['in'] {
  const names = [...shapes.keys()].flatMap((name) => (quantized.has(name) ? [codesOf(name), scalesOf(name)] : [name]));
  const sources = Object.fromEntries(names.map((name) => [name, { file: '', offset: 0 }]));
  return (builder) => frozenWeights(builder, shapes, sources);
}

const quantizedIn = (config: LlamaConfig, precision: BasePrecision): ReadonlySet<string> =>
  new Set(precision === 'int4' ? llamaLinears(config).map(({ name }) => `${name}.weight`) : []);

const codesOf = (name: string): string => `${name}.codes`;
const scalesOf = (name: string): string => `${name}.scales`;

function frozenWeights(
  builder: GraphBuilder,
  shapes: ReadonlyMap<string, readonly number[]>,
  sources: Readonly<Record<string, Extract<FrozenSource, { file: string }>>>,
): (name: string) => Value {
  const made = new Map<string, Value>();
  const make = (name: string): Value => {
    const shape = shapes.get(name)!;
    const [plain, codes, scales] = [sources[name], sources[codesOf(name)], sources[scalesOf(name)]];
    if (plain) return builder.frozen(name, shape, plain);
    return builder.frozenInt4(name, [shape[0]!, shape[1]!], { codes: codes!, scales: scales! });
  };
  return (name) => {
    const value = made.get(name) ?? make(name);
    made.set(name, value);
    return value;
  };
}
