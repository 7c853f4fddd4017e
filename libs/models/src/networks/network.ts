import { type Feed, type GraphBuilder, matmul, type Value } from '@tunefleet/tensor';
import type { Example } from '../packing/pack.js';

/** Rows as one run of a graph. */
export interface Batch {
  feeds: Record<string, Feed>;
  /** of the dimensions that the graph's inputs have names for */
  sizes: Readonly<Record<string, number>>;
  /** predictions that are counted, and the sum of their weights */
  trained: number;
  weight: number;
}

/** The weights' side of a graph: what of a model is frozen, learns or is adapted is decided there. */
export interface NetworkParts {
  /** a tensor by its name in the Hugging Face layout */
  weight(name: string): Value;
  /** x W^T of the named module, its bias if it has one, and what adapters add: [tokens, in] -> [tokens, out] */
  linear(module: string, x: Value): Value;
  /** the same of modules that read one x */
  linears(modules: readonly string[], x: Value): Value[];
  /** rows of an embedding table by ids [tokens] of i32: [tokens, width] */
  embed(table: string, ids: Value): Value;
  /** dropout at a named site with a probability; `x` itself where nothing is trained */
  dropout(site: string, probability: number, x: Value): Value;
}

/** Logits [trained, classes]; of many classes the factors of that product: states [trained, width] and classes [classes, width]. */
export type Logits = Value | { states: Value; classes: Value };

export const wholeLogits = (logits: Logits): Value =>
  'states' in logits ? matmul(logits.states, logits.classes, { transB: true }) : logits;

/** A model with its head, as training and inference run it: rows in, logits of what is to be predicted out. */
export interface Network<Row extends Example = Example> {
  /** Null where none of the rows has anything to predict. */
  batch(examples: readonly Row[]): Batch | null;
  /** logits [trained, classes] or their factors, targets [trained] of i32, weights [trained] */
  build(builder: GraphBuilder, parts: NetworkParts): { logits: Logits; targets: Value; weights: Value };
}
