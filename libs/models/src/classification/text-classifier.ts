import { openModelFolder } from '@tunefleet/model-formats';
import { compile, type Executable, GraphBuilder, releaseTensors, softmax } from '@tunefleet/tensor';
import { mapWeights } from '../base-weights.js';
import { type Classifier, classifierOf } from '../networks/classifier.js';
import { weightParts } from '../networks/weight-parts.js';

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
  /** Hugging Face folder of a ForSequenceClassification */
  folder: string;
  threads: number;
  /** an existing folder for files that go at `close` */
  scratch?: string;
}

/** Opens a classifier for inference. Errors: those of model-formats; a RangeError where the folder holds no classifier. */
export async function openTextClassifier({ folder, threads, scratch }: OpenClassifierOptions): Promise<TextClassifier> {
  const { labels, weights, shapes, ...backbone } = await openModelFolder(folder);
  if (!labels) {
    await weights.close();
    throw new RangeError('the model is no classifier');
  }
  const base = await mapWeights(weights, shapes, scratch);
  await weights.close();
  const classifier = classifierOf(backbone);
  const graph = await probabilityGraph(classifier, shapes, base, threads);
  return {
    labels,
    maxTokens: backbone.config.maxPositions,
    async classify(texts) {
      const batch = classifier.batch(texts.map((ids) => ({ ids: Int32Array.from(ids), weights: new Float32Array(0), label: 0 })));
      if (!batch) return [];
      const { probabilities } = await graph.run(batch.feeds);
      const all = probabilities!.data as Float32Array;
      const rows = texts.map((_, place) => all.slice(place * labels.length, (place + 1) * labels.length));
      releaseTensors([probabilities!]);
      return rows;
    },
    async close() {
      await graph.release();
      await base.release();
    },
  };
}

function probabilityGraph(
  classifier: Classifier,
  shapes: ReadonlyMap<string, unknown>,
  base: Pick<Awaited<ReturnType<typeof mapWeights>>, 'in'>,
  threads: number,
): Promise<Executable> {
  const builder = new GraphBuilder();
  const frozen = base.in(builder);
  const parts = {
    ...weightParts((name) => (shapes.has(name) ? frozen(name) : undefined)),
    dropout: <X>(_site: string, _p: number, x: X) => x,
  };
  const { features } = classifier.features(builder, parts);
  return compile({ outputs: { probabilities: softmax(classifier.head(parts, features)) }, threads });
}
