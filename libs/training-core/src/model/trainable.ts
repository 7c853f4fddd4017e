import type { LlamaConfig } from '@tunefleet/model-formats';
import type { LlamaParts } from '@tunefleet/models';
import type { GraphBuilder, Value } from '@tunefleet/tensor';
import type { FlatLayout } from '../parameters.js';

/** The weights' side of a graph, and which values the gradients are asked for, in the layout's order. */
export interface WeightParts extends Pick<LlamaParts, 'weight' | 'linear'> {
  parameters: Value[];
}

/** A model of which something learns: all of it, or an adapter on a frozen base. */
export interface Trainable {
  config: LlamaConfig;
  layout: FlatLayout;
  /** sites: names of the inputs [rows, width] that a training graph is fed masks of 0 and 1 / (1 - probability) by */
  dropout: { probability: number; sites: readonly string[] };
  /** Fills the flat parameters with what training begins from. */
  initialize(parameters: Float32Array): Promise<void>;
  /** `training`: with the dropout masks as inputs. */
  build(builder: GraphBuilder, training: boolean): WeightParts;
  /** Writes the trained model as a folder that others load (Hugging Face or PEFT). The folder must not exist. */
  write(folder: string, parameters: Float32Array): Promise<void>;
  close(): Promise<void>;
}
