import { type Backbone, bertPoolerShapes, headShapes, openModelFolder, type TensorReader } from '@tunefleet/model-formats';
import { randomStream } from '@tunefleet/models';
import { openWhole } from '../open-whole.js';

/** A base as a classifier over `labels`: which of its tensors there are, which are new. */
export interface ClassifierBase {
  backbone: Backbone;
  labels: readonly string[];
  weights: TensorReader;
  /** tensors up to what the head reads, all of them in the base */
  body: ReadonlyMap<string, readonly number[]>;
  /** the head's tensors */
  head: ReadonlyMap<string, readonly number[]>;
  /** a tensor of body or head as training begins with it: the base's, or a new one */
  initial(name: string): Promise<Float32Array>;
}

/** Standard deviation of a Llama's new weights: the default of transformers' `initializer_range`. */
const LLAMA_RANGE = 0.02;

/**
 * Opens a base of any family for classification. A base that classifies by the same labels keeps its head, in their order; else the head is
 * new, as is the pooler of a BERT that was trained without one. The caller closes `weights`. Errors: those of model-formats.
 */
export function openClassifierBase(folder: string, labels: readonly string[], seed: number): Promise<ClassifierBase> {
  return openWhole(async (held) => {
    const { weights, shapes, labels: own, ...backbone } = await openModelFolder(folder);
    held(() => weights.close());
    const all = own ? headShapes(backbone, own.length) : new Map([['lm_head.weight', []]]);
    const body = new Map([...shapes].filter(([name]) => !all.has(name)));
    const classes = headShapes(backbone, labels.length);
    const pooler = backbone.family === 'bert' ? bertPoolerShapes(backbone.config) : new Map<string, readonly number[]>();
    const head = new Map([...[...pooler].filter(([name]) => !body.has(name)), ...classes]);
    const kept = own !== null && sameClasses(own, labels) ? own : null;
    const range = backbone.family === 'bert' ? backbone.config.initializerRange : LLAMA_RANGE;
    return {
      backbone,
      labels,
      weights,
      body,
      head,
      async initial(name) {
        if (body.has(name)) return weights.float32(name);
        if (kept && classes.has(name)) return inOrder(await weights.float32(name), kept, labels);
        return newTensor(head.get(name)!, range, seed, [...head.keys()].indexOf(name));
      },
    };
  });
}

/**
 * Whether a head has a row for each of these classes (all different) and no other, in whatever order. A head may give two rows the same
 * name.
 */
export const sameClasses = (own: readonly string[], classes: readonly string[]): boolean =>
  own.length === classes.length && classes.every((label) => own.includes(label));

/** A tensor of a head, one row a class, with the classes `from` in the order of `to`: files name them as they first occur. */
export function inOrder(values: Float32Array, from: readonly string[], to: readonly string[]): Float32Array {
  const width = values.length / from.length;
  const ordered = new Float32Array(values.length);
  for (const [place, label] of to.entries()) {
    const row = from.indexOf(label) * width;
    ordered.set(values.subarray(row, row + width), place * width);
  }
  return ordered;
}

/** As transformers makes new layers: weights normal, biases zero. */
function newTensor(shape: readonly number[], range: number, seed: number, site: number): Float32Array {
  const random = randomStream(seed, 'weightInit', site);
  const count = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: count }, () => (shape.length > 1 ? random.normal() * range : 0));
}
