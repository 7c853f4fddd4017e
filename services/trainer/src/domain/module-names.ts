import type { ModelHead } from '@tunefleet/contracts';
import { CLASSIFIER_HEADS } from '@tunefleet/model-formats';
import type { Settings } from './settings.js';

/** Names of a model's modules as PEFT uses them, as far as they can be told without its files. */
export interface ModuleNames {
  /** names of linear layers that `targets` may give */
  targets: readonly string[];
  /** linear layers by their whole names */
  linears: readonly string[];
  /** others that can be trained whole */
  others: readonly string[];
}

/** More layers than any model has: how many this one has is known when its files are read. */
const LAYERS = 256;
const inLayers = (layers: string, parts: readonly string[]): string[] =>
  Array.from({ length: LAYERS }, (_, layer) => parts.map((part) => `${layers}.${layer}.${part}`)).flat();

const LLAMA: ModuleNames = {
  targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  linears: inLayers('model.layers', [
    ...['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => `self_attn.${name}`),
    ...['gate_proj', 'up_proj', 'down_proj'].map((name) => `mlp.${name}`),
  ]),
  others: ['model.embed_tokens', 'model.layers.0.input_layernorm', 'model.layers.0.post_attention_layernorm', 'model.norm'],
};

const DENSE = ['attention.output.dense', 'intermediate.dense', 'output.dense'];
const BERT: ModuleNames = {
  targets: ['query', 'key', 'value', 'dense', ...DENSE, 'pooler.dense'],
  linears: [
    ...inLayers('bert.encoder.layer', [...['query', 'key', 'value'].map((name) => `attention.self.${name}`), ...DENSE]),
    'bert.pooler.dense',
  ],
  others: [
    ...['word_embeddings', 'position_embeddings', 'token_type_embeddings', 'LayerNorm'].map((name) => `bert.embeddings.${name}`),
    ...['attention.output.LayerNorm', 'output.LayerNorm'].map((name) => `bert.encoder.layer.0.${name}`),
  ],
};

const together = (...some: ModuleNames[]): ModuleNames => ({
  targets: some.flatMap(({ targets }) => targets),
  linears: some.flatMap(({ linears }) => linears),
  others: some.flatMap(({ others }) => others),
});
const headed = (heads: readonly string[], names: ModuleNames): ModuleNames => ({ ...names, others: [...names.others, ...heads] });

/** A language model is a Llama, a bare encoder a BERT; a classifier may be either. The heads of a classifier go by both of PEFT's names. */
export function moduleNames(head: ModelHead, task: Settings['task']): ModuleNames {
  if (head === 'none') return headed(CLASSIFIER_HEADS, BERT);
  if (head === 'classifier') return headed(CLASSIFIER_HEADS, together(LLAMA, BERT));
  return headed(task === 'classification' ? CLASSIFIER_HEADS : ['lm_head'], LLAMA);
}
