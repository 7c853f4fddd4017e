import {
  type Backbone,
  blockLinears,
  CLASSIFIER_HEADS,
  type LinearModule,
  type LlamaConfig,
  llamaTensorShapes,
} from '@tunefleet/model-formats';

/** What of a model an adapter can change. */
export interface Adaptable {
  /** modules that take factors, in the order of the forward pass: "all-linear" */
  linears: readonly LinearModule[];
  /** tensors that can be trained whole instead, with their shapes */
  tensors: ReadonlyMap<string, readonly number[]>;
  layers: number;
  /** names in `modules_to_save` that the model may have no module of */
  optional: readonly string[];
}

/** A language model. On a tied base the head counts as a tensor of its own, as in PEFT. */
export function adaptableLanguageModel(config: LlamaConfig): Adaptable {
  const tensors = llamaTensorShapes({ ...config, tiedEmbeddings: false });
  return { linears: blockLinears(tensors), tensors, layers: config.layers, optional: [] };
}

const POOLER = 'bert.pooler.dense';

/** A sequence classifier of the given tensors, its head among them. BERT's pooler takes factors like the linears of the blocks. */
export function adaptableClassifier({ config }: Backbone, tensors: ReadonlyMap<string, readonly number[]>): Adaptable {
  const { hiddenSize, layers } = config;
  const pooler = tensors.has(`${POOLER}.weight`) ? [{ name: POOLER, inputs: hiddenSize, outputs: hiddenSize }] : [];
  return { linears: [...blockLinears(tensors), ...pooler], tensors, layers, optional: CLASSIFIER_HEADS };
}
