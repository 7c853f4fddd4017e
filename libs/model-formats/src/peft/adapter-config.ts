import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import { ModelFormatError } from '../errors.js';
import { type LoraSettings, wholeLoraSettings } from './lora-settings.js';
import { loraMatcher } from './module-matching.js';

/** What stands on the adapted model: a language model's head, or a sequence classifier's, which is then among the modules trained whole. */
export type LoraTask = 'CAUSAL_LM' | 'SEQ_CLS';

/** Heads of transformers' sequence classifiers. PEFT names both in `modules_to_save` of each adapter of one; a model has one of them. */
export const CLASSIFIER_HEADS: readonly string[] = ['classifier', 'score'];

/** A PEFT `adapter_config.json`. */
export interface LoraConfig extends LoraSettings {
  /** Name or path of the base as the file states it. */
  base: string | null;
  /** default: CAUSAL_LM */
  task?: LoraTask;
}

/** Settings of PEFT's LoraConfig that change the computation and are not computed, with the values under which they do not. */
const ONLY: Record<string, readonly JsonValue[]> = {
  task_type: ['CAUSAL_LM', 'SEQ_CLS', null],
  bias: ['none'],
  use_dora: [false],
  use_qalora: [false],
  use_bdlora: [null, false],
  lora_bias: [false],
  fan_in_fan_out: [false],
  layer_replication: [null],
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
  const task: LoraTask = config['task_type'] === 'SEQ_CLS' ? 'SEQ_CLS' : 'CAUSAL_LM';
  const parsed = { base, task, ...wholeLoraSettings(settingsOf(config)) };
  loraMatcher(parsed); // its expressions are well-formed
  return parsed;
}

function settingsOf(config: JsonObject): LoraSettings {
  const targets = namesOrExpression(config, 'target_modules');
  if (targets === null || targets.length === 0) throw invalid('target_modules', 'must name the adapted modules');
  return {
    rank: number(config, 'r', isRank),
    alpha: number(config, 'lora_alpha', (value) => value > 0),
    dropout: number(config, 'lora_dropout', (value) => value >= 0 && value < 1, 0),
    targets,
    rank_pattern: pattern(config, 'rank_pattern', isRank),
    alpha_pattern: pattern(config, 'alpha_pattern', (value) => value > 0),
    use_rslora: flag(config, 'use_rslora'),
    layers_to_transform: layers(config),
    layers_pattern: names(config, 'layers_pattern'),
    exclude_modules: namesOrExpression(config, 'exclude_modules'),
    modules_to_save: distinct(names(config, 'modules_to_save')),
  };
}

/** PEFT adds the heads of a classifier each time that it saves one. */
const distinct = (list: string[] | null): string[] | null => list && [...new Set(list)];

/** As PEFT 0.21 reads it; every setting that it would default otherwise is written out. */
export function loraConfigJson({ base, task = 'CAUSAL_LM', ...settings }: LoraConfig): JsonObject {
  const whole = wholeLoraSettings(settings);
  const list = <T extends JsonValue>(values: readonly T[] | null): T[] | null => values && [...values];
  const sorted = (value: readonly string[] | string): JsonValue => (typeof value === 'string' ? value : [...value].sort());
  return {
    alpha_pattern: { ...whole.alpha_pattern },
    base_model_name_or_path: base,
    bias: 'none',
    ...(whole.exclude_modules === null ? {} : { exclude_modules: sorted(whole.exclude_modules) }),
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    ...(whole.layers_pattern === null ? {} : { layers_pattern: list(whole.layers_pattern) }),
    ...(whole.layers_to_transform === null ? {} : { layers_to_transform: list(whole.layers_to_transform) }),
    lora_alpha: whole.alpha,
    lora_dropout: whole.dropout,
    modules_to_save: list(whole.modules_to_save),
    peft_type: 'LORA',
    r: whole.rank,
    rank_pattern: { ...whole.rank_pattern },
    target_modules: sorted(whole.targets),
    task_type: task,
    use_dora: false,
    use_rslora: whole.use_rslora,
  };
}

const isRank = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65_536;

function number(config: JsonObject, name: string, allowed: (value: number) => boolean, fallback?: number): number {
  const value = config[name] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && allowed(value)) return value;
  throw invalid(name, `${JSON.stringify(value)} is out of range`);
}

function flag(config: JsonObject, name: string): boolean {
  const value = config[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw invalid(name, `must be true or false, not ${JSON.stringify(value)}`);
}

function names(config: JsonObject, name: string): string[] | null {
  const value = config[name] ?? null;
  if (value === null) return null;
  const list = Array.isArray(value) ? value : [value]; // PEFT takes one name for a list of one
  return list.map((entry) => {
    if (typeof entry !== 'string' || entry === '') throw invalid(name, 'must be names of modules');
    return entry;
  });
}

/** A list of names, sorted; or one text, which is a regular expression (or `all-linear`). */
function namesOrExpression(config: JsonObject, name: string): string[] | string | null {
  const value = config[name] ?? null;
  if (typeof value === 'string') return value;
  const list = names(config, name);
  return list && [...new Set(list)].sort();
}

function pattern(config: JsonObject, name: string, allowed: (value: number) => boolean): Record<string, number> {
  const value = config[name] ?? {};
  if (typeof value !== 'object' || Array.isArray(value) || value === null) throw invalid(name, 'must be an object');
  return Object.fromEntries(Object.keys(value).map((key) => [key, number(value, key, allowed)]));
}

function layers(config: JsonObject): number[] | null {
  const value = config['layers_to_transform'] ?? null;
  if (value === null) return null;
  return (Array.isArray(value) ? value : [value]).map((layer) => {
    if (typeof layer === 'number' && Number.isInteger(layer) && layer >= 0) return layer;
    throw invalid('layers_to_transform', `${JSON.stringify(layer)} is not a layer`);
  });
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
