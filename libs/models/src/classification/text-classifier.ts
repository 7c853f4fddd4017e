import {
  adapterLabels,
  type Backbone,
  blockLinears,
  headShapes,
  type LoraAdapter,
  openModelFolder,
  readLoraFolder,
} from '@tunefleet/model-formats';
import { compile, type Executable, type Feed, GraphBuilder, releaseAll, releaseTensors, softmax, type Value } from '@tunefleet/tensor';
import { adaptableClassifier } from '../adapters/adaptable.js';
import { adapterFault } from '../adapters/fits-base.js';
import { addLora } from '../adapters/lora.js';
import { type BasePrecision, type BaseWeights, mapWeights } from '../base-weights.js';
import { type Classifier, classifierOf } from '../networks/classifier.js';
import { separateLinears, weightParts } from '../networks/weight-parts.js';

/** A sequence classifier that answers. */
export interface TextClassifier {
  /** in order of the probabilities */
  labels: readonly string[];
  /** largest number of tokens of one text */
  maxTokens: number;
  /** Probabilities [classes] of each text, given as token ids. */
  classify(texts: readonly (readonly number[])[]): Promise<Float32Array[]>;
  close(): Promise<void>;
}

export interface OpenClassifierOptions {
  /** Hugging Face folder of a ForSequenceClassification; under an adapter of any model of the family */
  folder: string;
  /** PEFT folder of a SEQ_CLS adapter, with its own head */
  adapter?: string | undefined;
  /** default: float32. An adapter answers as it was trained over the base of the same precision. */
  precision?: BasePrecision;
  /** a whole number from 1 */
  threads: number;
  /** an existing folder for files that go at `close` */
  scratch?: string;
}

/** What classifies: a model's own tensors, and those of an adapter in their place. */
interface Parts {
  backbone: Backbone;
  labels: readonly string[];
  /** tensors that the base gives */
  base: Pick<BaseWeights, 'in' | 'release'>;
  shapes: ReadonlyMap<string, readonly number[]>;
  adapter: LoraAdapter | null;
}

/**
 * Opens a classifier for inference. Errors: those of model-formats; a RangeError where there is no classifier, the adapter does not fit, or
 * `threads` is no number of threads.
 */
export async function openTextClassifier({ folder, adapter, precision, threads, scratch }: OpenClassifierOptions): Promise<TextClassifier> {
  const parts = await openParts(folder, adapter, precision, scratch);
  const { backbone, labels, base } = parts;
  const classifier = classifierOf(backbone);
  const graph = await probabilityGraph(classifier, parts, threads).catch(async (error: unknown) => {
    await base.release();
    throw error;
  });
  const feeds = parts.adapter ? adapterFeeds(parts.adapter) : {};
  return {
    labels,
    maxTokens: backbone.config.maxPositions,
    async classify(texts) {
      const batch = classifier.batch(texts.map((ids) => ({ ids: Int32Array.from(ids), weights: new Float32Array(0), label: 0 })));
      if (!batch) return [];
      const { probabilities } = await graph.run({ ...batch.feeds, ...feeds });
      const all = probabilities!.data as Float32Array;
      const rows = texts.map((_, place) => all.slice(place * labels.length, (place + 1) * labels.length));
      releaseTensors([probabilities!]);
      return rows;
    },
    close: () => releaseAll([() => graph.release(), () => base.release()]),
  };
}

async function openParts(folder: string, adapterFolder: string | undefined, precision: BasePrecision | undefined, scratch?: string) {
  const { labels: own, weights, shapes: all, ...backbone } = await openModelFolder(folder);
  try {
    const adapter = adapterFolder === undefined ? null : await readLoraFolder(adapterFolder);
    const labels = adapter && adapterFolder !== undefined ? await adapterLabels(adapterFolder, adapter, own) : own;
    if (!labels?.length) throw new RangeError('the model is no classifier');
    const shapes = new Map([...all].filter(([name]) => name !== 'lm_head.weight' && !adapter?.saved.has(name)));
    if (adapter) {
      const saved = [...adapter.saved].map(([name, { shape }]) => [name, shape] as const);
      const model = adaptableClassifier(backbone, new Map([...shapes, ...saved, ...headShapes(backbone, labels.length)]));
      const fault = adapterFault(model, adapter);
      if (fault !== null) throw new RangeError(`the adapter does not fit the base: ${fault}`);
    }
    const quantized = new Set(precision === 'int4' ? blockLinears(shapes).map(({ name }) => `${name}.weight`) : []);
    return { backbone, labels, shapes, adapter, base: await mapWeights(weights, shapes, scratch, quantized) } satisfies Parts;
  } finally {
    await weights.close();
  }
}

async function probabilityGraph(classifier: Classifier, { shapes, base, adapter }: Parts, threads: number): Promise<Executable> {
  const builder = new GraphBuilder();
  const frozen = base.in(builder);
  const saved = new Map([...(adapter?.saved ?? [])].map(([name, { shape }]) => [name, builder.input(name, 'f32', shape)]));
  const plain = weightParts((name) => saved.get(name) ?? (shapes.has(name) ? frozen(name) : undefined));
  const linear = (module: string, x: Value): Value => {
    const y = plain.linear(module, x);
    const pair = adapter?.pairs.get(module);
    if (!pair) return y;
    const a = builder.input(factor(module, 'a'), 'f32', [pair.rank, pair.inputs]);
    const b = builder.input(factor(module, 'b'), 'f32', [pair.outputs, pair.rank]);
    return addLora(y, x, { a, b }, pair.scaling);
  };
  const parts = { ...plain, ...separateLinears(linear), dropout: <X>(_site: string, _p: number, x: X) => x };
  const { features } = classifier.features(builder, parts);
  return compile({ outputs: { probabilities: softmax(classifier.head(parts, features)) }, threads });
}

const factor = (module: string, name: 'a' | 'b'): string => `${module}.${name}`;

function adapterFeeds({ pairs, saved }: LoraAdapter): Record<string, Feed> {
  const factors = [...pairs].flatMap(([module, { a, b }]) => [
    [factor(module, 'a'), a],
    [factor(module, 'b'), b],
  ]);
  return Object.fromEntries([...factors, ...[...saved].map(([name, { values }]) => [name, values])]);
}
