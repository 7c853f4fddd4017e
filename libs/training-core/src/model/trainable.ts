import type { Network, NetworkParts } from '@tunefleet/models';
import type { GraphBuilder, Value } from '@tunefleet/tensor';
import type { FlatLayout } from '../parameters.js';
import type { ExampleSource } from '../spec.js';

/** The weights' side of a graph, and which values the gradients are asked for, in the layout's order. */
export interface WeightParts extends Omit<NetworkParts, 'dropout'> {
  parameters: Value[];
}

/** What of a model its graph is made of. */
export interface ModelGraph {
  /** All that `network` and `build` depend on, as text (`fromRecipe`); null: its compiled graphs are not kept. */
  recipe: string | null;
  network: Network;
  layout: FlatLayout;
  /** names of inputs that a training graph is fed masks of 0 and 1 / (1 - probability) by, beside the network's own */
  dropout: ReadonlyMap<string, number>;
  /** embedding tables that learn by rows (`touched-rows.ts`): slot's name to the name of the input that their ids come from */
  tables?: ReadonlyMap<string, string>;
  /** `training`: with the dropout masks as inputs. */
  build(builder: GraphBuilder, training: boolean): WeightParts;
}

/** A model of which something learns: all of it, or an adapter on a frozen base. */
export interface Trainable extends ModelGraph {
  /** Fills the flat parameters with what training begins from. */
  initialize(parameters: Float32Array): Promise<void>;
  /** Writes the trained model as a folder that others load (Hugging Face or PEFT). The folder must not exist. */
  write(folder: string, parameters: Float32Array): Promise<void>;
  close(): Promise<void>;
  /** Rows as the network wants them, where that is not how they come. Null when `stopped` says so in between. */
  prepare?(source: ExampleSource, stopped: () => boolean): Promise<ExampleSource | null>;
}
