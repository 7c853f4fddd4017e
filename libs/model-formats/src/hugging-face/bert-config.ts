import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import { Fields, invalid, unsupported } from './config-fields.js';

/** What of a `config.json` decides the computation of a BertModel. */
export interface BertConfig {
  hiddenSize: number;
  /** Width of the feed-forward layer. */
  intermediateSize: number;
  layers: number;
  heads: number;
  /** hiddenSize / heads */
  headSize: number;
  vocabularySize: number;
  maxPositions: number;
  /** Kinds of segments; a single text is all of the first. */
  tokenTypes: number;
  normEpsilon: number;
  /** Shares of values set to zero in training: of hidden states, of attention probabilities, of the head's input. */
  hiddenDropout: number;
  attentionDropout: number;
  headDropout: number;
  /** Standard deviation of new weights. */
  initializerRange: number;
  padTokenId: number | null;
}

/** Architectures whose backbone is a BertModel; heads other than a sequence classifier's are left out. */
const ARCHITECTURES = ['BertModel', 'BertForSequenceClassification', 'BertForMaskedLM', 'BertForPreTraining'];

/** Settings of transformers' Bert that change the computation, with the values under which they do not. */
const ONLY: Record<string, readonly JsonValue[]> = {
  hidden_act: ['gelu'],
  position_embedding_type: ['absolute'],
  is_decoder: [false],
  add_cross_attention: [false],
  quantization_config: [null],
};

/** Reads the config of a BERT as transformers 4 and 5 write it. Errors: `not_supported` by the setting's name; `invalid_config`. */
export function parseBertConfig(config: JsonObject): BertConfig {
  const fields = new Fields(config);
  const named = Array.isArray(config['architectures']) ? config['architectures'] : [];
  if (named.length > 0 && !named.some((name) => ARCHITECTURES.includes(String(name)))) throw unsupported('architectures', named);
  if (config['model_type'] !== undefined && config['model_type'] !== 'bert') throw unsupported('model_type', config['model_type']);
  for (const [name, allowed] of Object.entries(ONLY)) {
    const value = config[name];
    if (value !== undefined && !allowed.includes(value)) throw unsupported(name, value);
  }
  const hiddenSize = fields.natural('hidden_size');
  const heads = fields.natural('num_attention_heads');
  if (hiddenSize % heads !== 0) throw invalid('num_attention_heads', `${hiddenSize} values do not fall into ${heads} heads evenly`);
  const vocabularySize = fields.natural('vocab_size');
  const hiddenDropout = fields.share('hidden_dropout_prob', 0.1);
  const pad = config['pad_token_id'] ?? null;
  if (pad !== null && !(typeof pad === 'number' && Number.isInteger(pad) && pad >= 0 && pad < vocabularySize))
    throw invalid('pad_token_id', `${JSON.stringify(pad)} is not a token of a vocabulary of ${vocabularySize}`);
  return {
    hiddenSize,
    intermediateSize: fields.natural('intermediate_size'),
    layers: fields.natural('num_hidden_layers'),
    heads,
    headSize: hiddenSize / heads,
    vocabularySize,
    maxPositions: fields.natural('max_position_embeddings', 512),
    tokenTypes: fields.natural('type_vocab_size', 2),
    normEpsilon: fields.positive('layer_norm_eps', 1e-12),
    hiddenDropout,
    attentionDropout: fields.share('attention_probs_dropout_prob', 0.1),
    headDropout: fields.share('classifier_dropout', hiddenDropout),
    initializerRange: fields.positive('initializer_range', 0.02),
    padTokenId: pad,
  };
}

/** The same config as transformers reads it, with the keys in a fixed order; architecture and labels are the caller's to add. */
export function bertConfigJson(config: BertConfig): JsonObject {
  return {
    model_type: 'bert',
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.maxPositions,
    type_vocab_size: config.tokenTypes,
    layer_norm_eps: config.normEpsilon,
    hidden_act: 'gelu',
    position_embedding_type: 'absolute',
    hidden_dropout_prob: config.hiddenDropout,
    attention_probs_dropout_prob: config.attentionDropout,
    classifier_dropout: config.headDropout,
    initializer_range: config.initializerRange,
    pad_token_id: config.padTokenId,
    torch_dtype: 'float32',
  };
}
