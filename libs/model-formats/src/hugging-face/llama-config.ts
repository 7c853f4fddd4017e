import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import { Fields, invalid, unsupported } from './config-fields.js';

/** What of a `config.json` decides the computation of a LlamaForCausalLM. */
export interface LlamaConfig {
  hiddenSize: number;
  /** Width of the feed-forward layer. */
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  /** Usually hiddenSize / heads. */
  headSize: number;
  vocabularySize: number;
  maxPositions: number;
  normEpsilon: number;
  ropeTheta: number;
  tiedEmbeddings: boolean;
  bosTokenId: number | null;
  /** The first is the end of a text; chat models may list ends of turn too. */
  eosTokenIds: number[];
  padTokenId: number | null;
}

/**
 * Reads the config of a LlamaForCausalLM as transformers 4 and 5 write it. What the engine does not compute is refused by its name
 * (`not_supported`); what makes no sense is `invalid_config`.
 */
export function parseLlamaConfig(config: JsonObject): LlamaConfig {
  const fields = new Fields(config);
  checkArchitecture(config);
  refuseUnsupported(config);
  const hiddenSize = fields.natural('hidden_size');
  const heads = fields.natural('num_attention_heads');
  const keyValueHeads = fields.natural('num_key_value_heads', heads);
  const headSize = fields.natural('head_dim', hiddenSize / heads);
  if (!Number.isInteger(headSize) || headSize % 2 !== 0)
    throw invalid('num_attention_heads', `heads of ${headSize} values; rotary positions need an even number`);
  if (heads % keyValueHeads !== 0) throw invalid('num_key_value_heads', `${heads} heads do not share ${keyValueHeads} evenly`);
  const vocabularySize = fields.natural('vocab_size');
  return {
    hiddenSize,
    intermediateSize: fields.natural('intermediate_size'),
    layers: fields.natural('num_hidden_layers'),
    heads,
    keyValueHeads,
    headSize,
    vocabularySize,
    maxPositions: fields.natural('max_position_embeddings', 2048),
    normEpsilon: fields.positive('rms_norm_eps', 1e-6),
    ropeTheta: ropeTheta(config),
    tiedEmbeddings: fields.flag('tie_word_embeddings', false),
    bosTokenId: tokenIds(config, 'bos_token_id', vocabularySize)[0] ?? null,
    eosTokenIds: tokenIds(config, 'eos_token_id', vocabularySize),
    padTokenId: tokenIds(config, 'pad_token_id', vocabularySize)[0] ?? null,
  };
}

/** The same config as transformers reads it, with the keys in a fixed order. */
export function llamaConfigJson(config: LlamaConfig): JsonObject {
  const { eosTokenIds } = config;
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    hidden_act: 'silu',
    tie_word_embeddings: config.tiedEmbeddings,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: config.bosTokenId,
    eos_token_id: eosTokenIds.length > 1 ? eosTokenIds : (eosTokenIds[0] ?? null),
    pad_token_id: config.padTokenId,
    torch_dtype: 'float32',
  };
}

function checkArchitecture({ architectures, model_type: type }: JsonObject): void {
  const named = Array.isArray(architectures) ? architectures : [];
  if (named.length > 0 && !named.includes('LlamaForCausalLM')) throw unsupported('architectures', named);
  if (type !== undefined && type !== 'llama') throw unsupported('model_type', type);
  if (named.length === 0 && type === undefined) throw invalid('model_type', 'neither `architectures` nor `model_type` is given');
}

/** Settings of transformers' Llama that change the computation, with the values under which they do not. */
const ONLY: Record<string, readonly JsonValue[]> = {
  hidden_act: ['silu'],
  attention_bias: [false],
  mlp_bias: [false],
  attention_dropout: [0],
  pretraining_tp: [1, 0],
  rope_scaling: [null],
  partial_rotary_factor: [null, 1],
  quantization_config: [null],
  sliding_window: [null],
};

function refuseUnsupported(config: JsonObject): void {
  for (const [name, allowed] of Object.entries(ONLY)) {
    const value = config[name];
    if (value === undefined || allowed.includes(value)) continue;
    if (name === 'rope_scaling' && isDefaultRope(value)) continue;
    throw unsupported(name, value);
  }
  const rope = config['rope_parameters'];
  if (rope !== undefined && rope !== null && !isDefaultRope(rope)) throw unsupported('rope_parameters', rope);
}

function isDefaultRope(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const type = value['rope_type'] ?? value['type'] ?? 'default';
  const partial = value['partial_rotary_factor'] ?? 1;
  return type === 'default' && partial === 1;
}

/** transformers 5 moved it into `rope_parameters`. */
function ropeTheta(config: JsonObject): number {
  const nested = config['rope_parameters'];
  const holder = typeof nested === 'object' && nested !== null && !Array.isArray(nested) ? nested : {};
  return new Fields('rope_theta' in holder ? holder : config).positive('rope_theta', 10_000);
}

function tokenIds(config: JsonObject, name: string, vocabularySize: number): number[] {
  const value = config[name] ?? [];
  const ids = Array.isArray(value) ? value : [value];
  return ids.map((id) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabularySize) return id;
    throw invalid(name, `${JSON.stringify(id)} is not a token of a vocabulary of ${vocabularySize}`);
  });
}
