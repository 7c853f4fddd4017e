import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emit } from '../emit/emit.js';
import { writeModel } from '../emit/write-model.js';
import { checkInPlace } from '../graph/in-place.js';
import { type Graph, graphOf, type Value } from '../graph/value.js';
import type { Precision } from '../passes/halve.js';
import { lower } from '../passes/lower.js';
import { faceOf, type GraphFace } from './graph-face.js';
import type { SessionSettings } from './settings.js';

/** Something that looks at a graph as it will run, before a session is made of it, and may throw. */
export interface Inspection {
  readonly inspect: (graph: Graph) => void;
  /** All that its verdict depends on besides the graph, as text: a kept graph that passed is not asked the same again. */
  readonly question: () => string;
}

export interface GraphSettings extends SessionSettings {
  /** Default: float32. */
  readonly precision?: Precision;
  /** An existing empty folder for the model's files; default: a temporary one that goes at `release`. */
  readonly folder?: string;
  readonly inspection?: Inspection | undefined;
  /** Outputs that a run may write over an input (output name to input name): state that is updated where it lies. */
  readonly inPlace?: Readonly<Record<string, string>>;
}

/** A graph after all passes, as a file that a session is made of. */
export interface WrittenGraph {
  readonly path: string;
  readonly face: GraphFace;
  readonly frozen: {
    readonly bytes: number;
    /** Whether all of it lies in files that were there before. */
    readonly mapped: boolean;
  };
  /** Removes the files. */
  readonly discard: () => Promise<void>;
}

/** What `lower` makes of these outputs for these settings. Throws what the inspection throws. */
const lowered = (source: Graph, { provider = 'cpu', precision, inPlace = {}, inspection }: GraphSettings): Graph => {
  const graph = lower(source, provider, undefined, precision);
  checkInPlace(graph, inPlace, provider);
  inspection?.inspect(graph);
  return graph;
};

/** Has the inspection look at a graph of which nothing else is wanted. */
export const inspectOnly = (outputs: Readonly<Record<string, Value>>, settings: GraphSettings): void => {
  lowered(graphOf(outputs), settings);
};

export const writeGraph = async (outputs: Readonly<Record<string, Value>>, settings: GraphSettings): Promise<WrittenGraph> => {
  const source = graphOf(outputs);
  const graph = lowered(source, settings);
  if (graph.values.length === 0) throw new Error('compile: no outputs were given');
  const folder = settings.folder ?? (await mkdtemp(join(process.env['TMPDIR'] || tmpdir(), 'tunefleet-graph-')));
  const discard = async (): Promise<void> => (settings.folder === undefined ? rm(folder, { recursive: true, force: true }) : undefined);
  try {
    const model = emit(graph);
    const frozen = {
      bytes: model.frozen.reduce((sum, { bytes }) => sum + bytes, 0),
      mapped: model.frozen.every(({ source }) => 'file' in source),
    };
    return { path: await writeModel(model, folder), face: faceOf(graph, source), frozen, discard };
  } catch (error) {
    await discard();
    throw error;
  }
};
