import { type Backbone, writeClassifierFolder } from '@tunefleet/model-formats';
import { classifierOf, weightParts, wholeNetwork } from '@tunefleet/models';
import { gather } from '@tunefleet/tensor';
import { hasTouchableRows, rowInputs } from '../loop/touched-rows.js';
import { openWhole } from '../open-whole.js';
import { flatLayout, tensorsOf, viewOf } from '../parameters.js';
import { openClassifierBase } from './classifier-base.js';
import { fromRecipe } from './recipe.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { ModelGraph, Trainable } from './trainable.js';

/** BERT's table of words: half of a small encoder's weights, a few hundred rows of which occur in a batch. */
const WORDS = 'bert.embeddings.word_embeddings.weight';

export interface ClassifierOptions {
  labels: readonly string[];
  seed: number;
  /** whether the table of words may learn by rows: what is done to single rows is done in this process */
  byRows: boolean;
}

/** Full tuning of a classifier: every tensor of the base and of the head is a parameter. */
export function classifierTuning(base: string, options: ClassifierOptions): Promise<Trainable> {
  const { labels, seed } = options;
  return openWhole(async (held) => {
    const opened = await openClassifierBase(base, labels, seed);
    const { backbone, body, head, weights } = opened;
    held(() => weights.close());
    const graph = fromRecipe('classifier', { backbone, tensors: [...body, ...head], byRows: options.byRows }, classifierGraph);
    const { layout } = graph;
    return {
      ...graph,
      async initialize(parameters) {
        for (const slot of layout.slots) viewOf(parameters, slot).set(await opened.initial(slot.name));
      },
      async write(folder, parameters) {
        await writeClassifierFolder(folder, backbone, labels, tensorsOf(layout, parameters));
        await copyTokenizerFiles(base, folder);
      },
      close: () => weights.close(),
    };
  });
}

/** Full tuning of a classifier of which only the tensors' names and shapes need be known. */
export const plannedClassifier = (backbone: Backbone, tensors: ReadonlyMap<string, readonly number[]>): ModelGraph =>
  fromRecipe('classifier', { backbone, tensors: [...tensors], byRows: true }, classifierGraph);

interface ClassifierRecipe {
  backbone: Backbone;
  tensors: readonly (readonly [name: string, shape: readonly number[]])[];
  byRows: boolean;
}

function classifierGraph({ backbone, tensors, byRows: may }: ClassifierRecipe): Omit<ModelGraph, 'recipe'> {
  const layout = flatLayout(tensors);
  const byRows = layout.slots.findIndex((slot) => may && slot.name === WORDS && hasTouchableRows(slot));
  return {
    network: wholeNetwork(classifierOf(backbone)),
    layout,
    dropout: new Map(),
    tables: byRows === -1 ? new Map() : new Map([[WORDS, 'ids']]),
    build(builder, training) {
      const byName = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      const parameters = [...byName.values()];
      const parts = weightParts((name) => byName.get(name));
      if (!training || byRows === -1) return { parameters, ...parts };
      const { rows, places } = rowInputs(WORDS);
      return {
        parameters,
        ...parts,
        embed(table, ids) {
          if (table !== WORDS) return parts.embed(table, ids);
          // The gradient is asked for where the distinct rows leave the table.
          parameters[byRows] = gather(parts.weight(table), builder.input(rows, 'i32', ['rows']));
          return gather(parameters[byRows], builder.input(places, 'i32', ids.shape));
        },
      };
    },
  };
}
