import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LlamaConfig, llamaTensorShapes, openLlamaFolder, type TensorReader } from '@tunefleet/model-formats';
import { type FrozenSource, type GraphBuilder, type Value, writeWeightsFile } from '@tunefleet/tensor';

/** A base model that does not change: its weights as float32 in one file that every compiled graph maps. */
export interface BaseWeights {
  config: LlamaConfig;
  /** The weights as values of a graph, by name; each is made once. */
  in(builder: GraphBuilder): (name: string) => Value;
  /** Removes the file. Graphs that were compiled keep it mapped. */
  release(): Promise<void>;
}

/**
 * Opens a Hugging Face folder. The file lies in a folder of its own under `scratch` until `release`; a process that is killed leaves it there.
 * Errors: those of model-formats.
 */
export async function openBaseWeights(folder: string, scratch?: string): Promise<BaseWeights> {
  const { config, weights } = await openLlamaFolder(folder);
  try {
    return { config, ...(await mapWeights(weights, llamaTensorShapes(config), scratch)) };
  } finally {
    await weights.close();
  }
}

/** Tensors of an open model as float32 in one file, likewise. */
export async function mapWeights(
  weights: TensorReader,
  shapes: ReadonlyMap<string, readonly number[]>,
  scratch = process.env['TMPDIR'] ?? tmpdir(),
): Promise<Omit<BaseWeights, 'config'>> {
  const home = await mkdtemp(join(scratch, 'tunefleet-base-'));
  const release = (): Promise<void> => rm(home, { recursive: true, force: true });
  try {
    const tensors: [string, Float32Array][] = [];
    for (const name of shapes.keys()) tensors.push([name, await weights.float32(name)]);
    const sources = await writeWeightsFile(join(home, 'base.weights'), tensors);
    return { in: (builder) => frozenWeights(builder, shapes, sources), release };
  } catch (error) {
    await release();
    throw error;
  }
}

function frozenWeights(
  builder: GraphBuilder,
  shapes: ReadonlyMap<string, readonly number[]>,
  sources: Readonly<Record<string, FrozenSource>>,
): (name: string) => Value {
  const made = new Map<string, Value>();
  return (name) => {
    const value = made.get(name) ?? builder.frozen(name, shapes.get(name)!, sources[name]!);
    made.set(name, value);
    return value;
  };
}
