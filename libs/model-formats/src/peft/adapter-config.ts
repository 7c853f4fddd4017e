import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import { ModelFormatError } from '../errors.js';

/** What of a PEFT `adapter_config.json` decides the computation of a LoRA adapter: y = W x + (alpha / rank) B A x. */
export interface LoraConfig {
  /** Name or path of the base as the file states it. */
  base: string | null;
  rank: number;
  alpha: number;
  dropout: number;
  /** Last parts of the names of the adapted linears (`q_proj`), sorted; or every linear but the head. */
  targets: readonly string[] | 'all-linear';
}

/** Settings of PEFT's LoraConfig that change the computation, with the values under which they do not. */
const ONLY: Record<string, readonly JsonValue[]> = {
  task_type: ['CAUSAL_LM', null],
  bias: ['none'],
  use_dora: [false],
  use_rslora: [false],
  use_qalora: [false],
  use_bdlora: [null, false],
  lora_bias: [false],
  fan_in_fan_out: [false],
  modules_to_save: [null],
  rank_pattern: [null],
  alpha_pattern: [null],
  layers_to_transform: [null],
  layers_pattern: [null],
  layer_replication: [null],
  exclude_modules: [null],
  target_parameters: [null],
  trainable_token_indices: [null],
  megatron_config: [null],
  eva_config: [null],
  corda_config: [null],
  lora_ga_config: [null],
  alora_invocation_tokens: [null],
  arrow_config: [null],
  kasa_config: [null],
  velora_config: [null],
  monteclora_config: [null],
  ensure_weight_tying: [false],
  // The other ways of starting (pissa, olora, corda, loftq) change the base's weights too.
  init_lora_weights: [true, false, 'gaussian', 'eva', 'orthogonal'],
};

/** Reads the config of a LoRA adapter; what the engine does not compute is refused by its name (`not_supported`). */
export function parseLoraConfig(config: JsonObject): LoraConfig {
  if (config['peft_type'] !== 'LORA') throw unsupported('peft_type', config['peft_type'] ?? null);
  for (const [name, allowed] of Object.entries(ONLY)) {
    const value = config[name];
    if (value !== undefined && !allowed.includes(value) && !isEmpty(value)) throw unsupported(name, value);
  }
  const base = config['base_model_name_or_path'] ?? null;
  if (base !== null && typeof base !== 'string') throw invalid('base_model_name_or_path', 'must be text');
  return {
    base,
    rank: number(config, 'r', (value) => Number.isInteger(value) && value >= 1 && value <= 65_536),
    alpha: number(config, 'lora_alpha', (value) => value > 0),
    dropout: number(config, 'lora_dropout', (value) => value >= 0 && value < 1, 0),
    targets: parseTargets(config['target_modules'] ?? null),
  };
}

/** As PEFT 0.21 reads it; every setting that it would default otherwise is written out. */
export function loraConfigJson(config: LoraConfig): JsonObject {
  return {
    alpha_pattern: {},
    base_model_name_or_path: config.base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: config.rank,
    rank_pattern: {},
    target_modules: typeof config.targets === 'string' ? config.targets : [...config.targets].sort(),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
}

function parseTargets(value: JsonValue): LoraConfig['targets'] {
  if (value === 'all-linear') return value;
  if (typeof value === 'string') throw unsupported('target_modules', value);
  if (!Array.isArray(value) || value.length === 0) throw invalid('target_modules', 'must name the adapted modules');
  const names = value.map((name) => {
    if (typeof name !== 'string' || name === '') throw invalid('target_modules', 'must be names of modules');
    return name;
  });
  return [...new Set(names)].sort();
}

function number(config: JsonObject, name: string, allowed: (value: number) => boolean, fallback?: number): number {
  const value = config[name] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && allowed(value)) return value;
  throw invalid(name, `${JSON.stringify(value)} is out of range`);
}

function isEmpty(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function invalid(name: string, message: string): ModelFormatError {
  return new ModelFormatError('invalid_config', `adapter_config.json: \`${name}\`: ${message}`);
}

function unsupported(name: string, value: JsonValue): ModelFormatError {
  return new ModelFormatError('not_supported', `adapter_config.json: \`${name}\` = ${JSON.stringify(value)} is not supported`);
}
