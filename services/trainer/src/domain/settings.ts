import {
  type AdapterInfo,
  ApiError,
  type BasePrecision,
  type JobCreateBody,
  type ResolvedModel,
  type TrainedTask,
} from '@tunefleet/contracts';
import { Type } from 'typebox';
import { adapterOf, type ParentAdapter, withHead } from './adapter.js';
import { requireWords, withVocabulary } from './added-tokens.js';
import type { Requested } from './hyperparameters.js';
import { moduleNames } from './module-names.js';

type Block = NonNullable<JobCreateBody['tunefleet']>;

/** The `tunefleet` block with every default filled in: what trains, and what a job answers. */
export interface Settings {
  task: TrainedTask | null;
  adapter: AdapterInfo;
  /** Tokens that the model's tokenizer, embedding and head gain. */
  added_tokens: string[] | null;
  base_precision: BasePrecision;
  memory: 'fast' | 'lean';
  freeze: { backbone: true } | null;
  unfreeze: null;
  optimizer: {
    type: 'adamw';
    learning_rate: number;
    betas: [number, number];
    eps: number;
    weight_decay: number;
    max_grad_norm: number;
    non_finite: 'stop' | 'skip';
    schedule: { type: 'constant' | 'linear' | 'cosine'; warmup_ratio: number };
  };
  sequence: { max_tokens: number; packing: boolean; on_overflow: 'error' | 'truncate' | 'drop' };
  micro_batch_size: number;
  max_steps: number | null;
  shuffle: boolean;
  early_stopping: null;
  snapshot: { every_steps: number; keep: number };
  priority: number;
  queue: string;
}
/** Its shape in a record; the numbers were checked when the body was. */
export const SettingsSchema = Type.Unsafe<Settings>({ type: 'object' });

type BaseFacts = Pick<ResolvedModel, 'context' | 'head' | 'rates' | 'default_adapter' | 'base_precision'>;

/** Fill in defaults and check what only the model can tell: context, adapter, learning rate. `parent`: the adapter that an `ft:` model already has. */
export function resolveSettings(block: Block | undefined, requested: Requested, model: BaseFacts, parent: ParentAdapter | null): Settings {
  const given = block ?? {};
  const freeze = given.freeze?.backbone ? { backbone: true as const } : null;
  const task = taskOf(given, model);
  // A head on a frozen backbone is small: all of it is tuned.
  const usual = freeze ? 'full' : given.base_precision === 'int4' ? 'lora' : model.default_adapter;
  const added = given.added_tokens?.length ? given.added_tokens : null;
  const names = moduleNames(model.head, task);
  const adapter = withHead(withVocabulary(adapterOf(given.adapter, usual, parent, names), added, parent), task);
  if (added) requireWords(task);
  requireFull(adapter, freeze);
  if (parent && task === 'classification' && model.head === 'language_model')
    throw new ApiError('invalid_value', "The model is a language model's adapter, which goes on as one. Tune its base to classify.", {
      param: 'tunefleet.task',
    });
  const optimizer = given.optimizer ?? {};
  const micro = given.micro_batch_size ?? 1;
  if (requested.batch_size !== 'auto' && micro > requested.batch_size)
    throw new ApiError('invalid_value', `'tunefleet.micro_batch_size' is ${micro}, more than the batch_size of ${requested.batch_size}.`, {
      param: 'tunefleet.micro_batch_size',
    });
  return {
    task,
    adapter,
    added_tokens: added,
    base_precision: precisionOf(given.base_precision, adapter, parent && model.base_precision),
    memory: given.memory ?? 'fast',
    freeze,
    unfreeze: null,
    optimizer: {
      type: 'adamw',
      learning_rate: learningRate(optimizer.learning_rate, requested.learning_rate_multiplier, model.rates[adapter.type]),
      betas: [optimizer.betas?.[0] ?? 0.9, optimizer.betas?.[1] ?? 0.999],
      eps: optimizer.eps ?? 1e-8,
      weight_decay: optimizer.weight_decay ?? 0,
      max_grad_norm: optimizer.max_grad_norm ?? 1,
      non_finite: optimizer.non_finite ?? 'stop',
      schedule: { type: optimizer.schedule?.type ?? 'linear', warmup_ratio: optimizer.schedule?.warmup_ratio ?? 0.1 },
    },
    sequence: {
      max_tokens: maxTokens(given.sequence?.max_tokens, model.context),
      packing: given.sequence?.packing ?? true,
      on_overflow: given.sequence?.on_overflow ?? 'error',
    },
    micro_batch_size: micro,
    max_steps: given.max_steps ?? null,
    shuffle: given.shuffle ?? true,
    early_stopping: null,
    snapshot: { every_steps: given.snapshot?.every_steps ?? 50, keep: given.snapshot?.keep ?? 2 },
    priority: given.priority ?? 0,
    queue: given.queue ?? 'default',
  };
}

/** A base in 4 bits is frozen: only an adapter learns over it, and goes on over what it learned over. */
function precisionOf(given: BasePrecision | undefined, adapter: AdapterInfo, parent: BasePrecision | null): BasePrecision {
  const param = 'tunefleet.base_precision';
  if (given === 'int4' && adapter.type === 'full')
    throw new ApiError('invalid_value', `'${param}' int4 keeps the base frozen: it needs 'tunefleet.adapter.type' lora, not full.`, {
      param,
    });
  if (given !== undefined && parent !== null && given !== parent)
    throw new ApiError(
      'invalid_value',
      `The model's adapter was trained over a base in ${parent}; a job that continues it cannot change that to ${given}.`,
      { param },
    );
  return given ?? parent ?? 'float32';
}

/** A frozen backbone, and a model that has no language model's head, leave only classification; else the rows say it, where the block does not. */
function taskOf({ task, freeze }: Block, { head }: BaseFacts): TrainedTask | null {
  const given = (task ?? null) as TrainedTask | null;
  if (given === 'classification') return given;
  if (given === null && !freeze?.backbone && head === 'language_model') return null;
  if (given !== null && freeze?.backbone)
    throw new ApiError('invalid_value', `'tunefleet.freeze.backbone' leaves a head to learn, which the task '${given}' has not.`, {
      param: 'tunefleet.freeze.backbone',
    });
  if (given !== null && head !== 'language_model')
    throw new ApiError('invalid_value', `This model writes no text; its only task is 'classification', not '${given}'.`, {
      param: 'tunefleet.task',
    });
  return given ?? 'classification';
}

function requireFull(adapter: AdapterInfo, freeze: Settings['freeze']): void {
  if (freeze && adapter.type === 'lora')
    throw new ApiError('invalid_value', "'tunefleet.freeze.backbone' leaves nothing for an adapter of type 'lora' to adapt.", {
      param: 'tunefleet.adapter.type',
    });
}

const AGREE = 1e-9;

/** `learning_rate` is multiplier x the base's documented rate; given both ways, they agree within 1e-9. */
function learningRate(given: number | undefined, multiplier: 'auto' | number, rate: number): number {
  if (given === undefined) return (multiplier === 'auto' ? 1 : multiplier) * rate;
  if (multiplier !== 'auto' && Math.abs(given / rate - multiplier) > AGREE * Math.max(1, multiplier))
    throw new ApiError(
      'invalid_value',
      `'tunefleet.optimizer.learning_rate' ${given} is ${given / rate} x this base's rate ${rate}, but 'learning_rate_multiplier' is ${multiplier}. Send one of them.`,
      { param: 'tunefleet.optimizer.learning_rate' },
    );
  return given;
}

function maxTokens(given: number | undefined, context: number): number {
  if (given !== undefined && given > context)
    throw new ApiError('invalid_value', `'tunefleet.sequence.max_tokens' is ${given}; this base reads ${context} tokens at most.`, {
      param: 'tunefleet.sequence.max_tokens',
    });
  return given ?? Math.min(512, context);
}
