import type { Backbone } from '@tunefleet/model-formats';
import { classifierOf, headNetwork, type Network, weightParts, wholeNetwork } from '@tunefleet/models';
import { type GraphBuilder, gather, type Value } from '@tunefleet/tensor';
import { hasTouchableRows, rowInputs } from '../loop/touched-rows.js';
import { flatLayout } from '../parameters.js';
import type { AdaptedModel } from './lora-graph.js';
import type { ModelGraph } from './trainable.js';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** BERT's table of words: half of a small encoder's weights, a few hundred rows of which occur in a batch. */
const WORDS = 'bert.embeddings.word_embeddings.weight';

/** Full tuning of a classifier of which only the tensors' names and shapes need be known: each is a parameter. */
export function plannedClassifier(backbone: Backbone, shapes: Shapes): ModelGraph {
  const layout = flatLayout(shapes);
  const byRows = layout.slots.findIndex((slot) => slot.name === WORDS && hasTouchableRows(slot));
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

/** Weights of a frozen backbone in a graph: undefined for names that it has not. */
export type FrozenBody = (builder: GraphBuilder) => (name: string) => Value | undefined;

/** Of a backbone with these tensors, which `frozen` puts in a graph. */
export const frozenBody =
  (body: Pick<Shapes, 'has'>, frozen: (builder: GraphBuilder) => (name: string) => Value): FrozenBody =>
  (builder) => {
    const still = frozen(builder);
    return (name) => (body.has(name) ? still(name) : undefined);
  };

/** A classifier that an adapter is put on. */
export const adaptedClassifier = (backbone: Backbone, body: FrozenBody): AdaptedModel => ({
  network: wholeNetwork(classifierOf(backbone)),
  weights(builder, whole) {
    const still = body(builder);
    return (name) => whole.get(name) ?? still(name);
  },
});

/** A head over what a frozen backbone says of each row. */
export function plannedHead(backbone: Backbone, head: Shapes, body: FrozenBody): ModelGraph {
  const layout = flatLayout(head);
  return {
    // Rows come with features (`Trainable.prepare`).
    network: headNetwork(classifierOf(backbone), backbone.config.hiddenSize) as Network,
    layout,
    dropout: new Map(),
    build(builder) {
      const learning = new Map(layout.slots.map(({ name, shape }) => [name, builder.parameter(name, shape)]));
      const still = body(builder);
      return { parameters: [...learning.values()], ...weightParts((name) => learning.get(name) ?? still(name)) };
    },
  };
}
