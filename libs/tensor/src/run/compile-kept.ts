import { createHash } from 'node:crypto';
import { access, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Value } from '../graph/value.js';
import { engineIdentity } from './engine-identity.js';
import type { EngineSession } from './engine-session.js';
import { Executable } from './executable.js';
import { bootId, type CompiledCache, drop, type Entry, findKept, hasRoom, keep, WEIGHTS } from './kept-graphs.js';
import { createSession } from './session.js';
import type { ModelStage } from './settings.js';
import { type GraphSettings, inspectOnly, writeGraph } from './written-graph.js';

/** A graph that need not be made to be known: the same recipe makes the same graph. */
export interface GraphSource<Notes> {
  /** all that `build` depends on, as text, the code included (`codeIdentity`); only where frozen weights lie may be left out */
  readonly recipe: string;
  /** `notes`: plain data that is wanted with the compiled graph */
  readonly build: () => { readonly outputs: Readonly<Record<string, Value>>; readonly notes: Notes };
}

export interface Compiled<Notes> {
  readonly executable: Executable;
  readonly notes: Notes;
}

const sha256 = (...parts: readonly string[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};

/**
 * The recipe, the weights, ONNX Runtime's build, the kind of processor that they are packed for, this start of the machine, and every
 * setting but those named here, which change neither the optimized graph nor the packing: a new setting counts until somebody says that it
 * need not.
 */
const keyOf = (recipe: string, boot: string, cache: CompiledCache, settings: GraphSettings): string => {
  const { threads: _threads, spinning: _spinning, profile: _profile, folder: _folder, inspection: _inspection, ...counted } = settings;
  const { engineInterface: _interface, ...decisive } = counted;
  const { engine, cpuKernelClass } = engineIdentity(1);
  return sha256(recipe, boot, cache.weights, engine, cpuKernelClass, JSON.stringify(Object.entries(decisive).sort()));
};

/** The mark of an inspection that a kept graph has passed. */
const passedMark = (folder: string, question: string): string => join(folder, `passed-${sha256(question)}`);

const inspectKept = async <Notes>(entry: Entry, source: GraphSource<Notes>, settings: GraphSettings): Promise<void> => {
  const { inspection } = settings;
  if (!inspection) return;
  const mark = passedMark(entry.folder, inspection.question());
  const passed = await access(mark).then(
    () => true,
    () => false,
  );
  if (passed) return;
  inspectOnly(source.build().outputs, settings);
  await writeFile(mark, '').catch(() => undefined);
};

const fromKept = async <Notes>(
  entry: Entry,
  source: GraphSource<Notes>,
  settings: GraphSettings,
  create: (path: string, stage: ModelStage) => Promise<EngineSession>,
): Promise<Compiled<Notes> | null> => {
  await inspectKept(entry, source, settings);
  const session = await create(entry.model, { optimized: true }).catch(() => null);
  if (session) return { executable: new Executable(session, entry.face, settings), notes: entry.notes as Notes };
  // Torn, or removed by another process since.
  await drop(entry.folder);
  return null;
};

/**
 * A graph from the cache, where nothing is built, optimized or packed again; or built, compiled and kept there, if its frozen weights lie
 * in files. The results are the same bytes. Where the cache cannot be written, it is compiled without. Throws what the inspection throws.
 * @param sessionBegins called as ONNX Runtime is asked for the session, which takes no more of this thread
 */
export const compileKept = async <Notes>(
  source: GraphSource<Notes>,
  settings: GraphSettings,
  cache: CompiledCache | undefined,
  sessionBegins: () => void = () => undefined,
): Promise<Compiled<Notes>> => {
  const create = (path: string, stage?: ModelStage): Promise<EngineSession> => {
    sessionBegins();
    return createSession(path, settings, stage);
  };
  const boot = cache && (settings.provider ?? 'cpu') === 'cpu' ? bootId() : null;
  const key = cache && boot !== null ? keyOf(source.recipe, boot, cache, settings) : null;
  const entry = key === null ? null : await findKept(cache!, key);
  const kept = entry && (await fromKept(entry, source, settings, create));
  if (kept) return kept;
  const { outputs, notes } = source.build();
  const { path, face, frozen, discard } = await writeGraph(outputs, settings);
  try {
    const createAndSave = async (model: string) => {
      const { inspection } = settings;
      if (inspection) await writeFile(passedMark(dirname(model), inspection.question()), '');
      return create(path, { saveTo: { model, weights: WEIGHTS } });
    };
    const keepable = key !== null && frozen.mapped && (await hasRoom(cache!, frozen.bytes));
    const session = await (keepable ? keep(cache!, key, { face, notes }, createAndSave).catch(() => create(path)) : create(path));
    return { executable: new Executable(session, face, settings, discard), notes };
  } catch (error) {
    await discard();
    throw error;
  }
};
