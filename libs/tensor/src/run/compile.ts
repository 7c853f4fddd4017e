import type { Value } from '../graph/value.js';
import { Executable } from './executable.js';
import { createSession } from './session.js';
import { type GraphSettings, writeGraph } from './written-graph.js';

export interface CompileOptions extends GraphSettings {
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Outputs, and the values they need, as something that runs. Inputs that no output needs are not part of it. */
export const compile = async ({ outputs, ...settings }: CompileOptions): Promise<Executable> => {
  const { path, face, discard } = await writeGraph(outputs, settings);
  try {
    return new Executable(await createSession(path, settings), face, settings, discard);
  } catch (error) {
    await discard();
    throw error;
  }
};
