import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkInPlace } from '../graph/in-place.js';
import { type Graph, graphOf, type Value } from '../graph/value.js';
import { emit } from '../lowering/emit.js';
import type { Precision } from '../lowering/halve.js';
import { lower } from '../lowering/lower.js';
import { writeModel } from '../lowering/write-model.js';
import { type CompiledCache, cachedSession } from './compiled-cache.js';
import { Executable } from './executable.js';
import { createSession } from './session.js';
import type { SessionSettings } from './settings.js';

export interface CompileOptions extends SessionSettings {
  /** Default: float32. */
  readonly precision?: Precision;
  readonly outputs: Readonly<Record<string, Value>>;
  /** An existing empty folder for the model's files; default: a temporary one that goes at `release`. */
  readonly folder?: string;
  /** Sees the graph as it will run, before anything is made of it; may throw. */
  readonly inspect?: (graph: Graph) => void;
  /** Outputs that a run may write over an input (output name to input name): state that is updated where it lies. */
  readonly inPlace?: Readonly<Record<string, string>>;
  /** Keep the session's work for the next process. Not for graphs with weights in memory. */
  readonly cache?: CompiledCache | undefined;
}

/** Outputs, and the values they need, as something that runs. Inputs that no output needs are not part of it. */
export const compile = async (options: CompileOptions): Promise<Executable> => {
  const source = graphOf(options.outputs);
  const provider = options.provider ?? 'cpu';
  const graph = lower(source, provider, undefined, options.precision);
  const inPlace = options.inPlace ?? {};
  checkInPlace(graph, inPlace, provider);
  options.inspect?.(graph);
  const builder = source.values[0]?.builder;
  if (!builder) throw new Error('compile: no outputs were given');
  const folder = options.folder ?? (await mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-graph-')));
  const discard = async (): Promise<void> => (options.folder === undefined ? rm(folder, { recursive: true, force: true }) : undefined);
  try {
    const model = emit(graph);
    const path = await writeModel(model, folder);
    const mapped = model.frozen.every(({ source }) => 'file' in source);
    const weightBytes = model.frozen.reduce((sum, { bytes }) => sum + bytes, 0);
    const session = await (options.cache && mapped && provider === 'cpu'
      ? cachedSession(path, weightBytes, options, options.cache)
      : createSession(path, options));
    return new Executable(session, graph, { provider, inPlace, declared: (name) => builder.declares(name), discard });
  } catch (error) {
    await discard();
    throw error;
  }
};
