import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { graphOf, type Value } from '../graph/value.js';
import { emit } from '../lowering/emit.js';
import { lower } from '../lowering/lower.js';
import { writeModel } from '../lowering/write-model.js';
import { Executable } from './executable.js';
import { createSession, type SessionSettings } from './session.js';

export interface CompileOptions extends SessionSettings {
  readonly outputs: Readonly<Record<string, Value>>;
  /** An existing empty folder for the model's files; default: a temporary one that goes at `release`. */
  readonly folder?: string;
}

/** Outputs, and the values they need, as something that runs. Inputs that no output needs are not part of it. */
export const compile = async (options: CompileOptions): Promise<Executable> => {
  const source = graphOf(options.outputs);
  const graph = lower(source, options.provider ?? 'cpu');
  const builder = source.values[0]?.builder;
  if (!builder) throw new Error('compile: no outputs were given');
  const folder = options.folder ?? (await mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-graph-')));
  const discard = async (): Promise<void> => (options.folder === undefined ? rm(folder, { recursive: true, force: true }) : undefined);
  try {
    const session = await createSession(await writeModel(emit(graph), folder), options);
    return new Executable(session, graph, (name) => builder.declares(name), discard);
  } catch (error) {
    await discard();
    throw error;
  }
};
