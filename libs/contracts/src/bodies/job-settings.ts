import { Type } from 'typebox';
import { nullable, strict } from './strict.js';

const literals = <const T extends string>(...names: readonly T[]) => Type.Enum(names);

export const TASKS = [
  'chat',
  'completion',
  'language_modeling',
  'classification',
  'multi_label',
  'regression',
  'token_classification',
  'extractive_qa',
] as const;

/** Layers and embeddings by name; `backbone` is everything but the head. */
const Layers = { layers: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }))), embeddings: Type.Optional(Type.Boolean()) };

/** A regular expression, or a module's name. */
const Expression = Type.String({ minLength: 1, maxLength: 1024 });
const Names = Type.Array(Expression, { minItems: 1, maxItems: 256 });
/** Values by regular expression. */
const pattern = <T extends Type.TSchema>(value: T) =>
  Type.Unsafe<Record<string, Type.Static<T>>>({
    type: 'object',
    maxProperties: 64,
    propertyNames: { maxLength: 1024 },
    additionalProperties: value,
  });

/**
 * The `tunefleet` block of a job, as posted and as answered. Every key may be left out or null, so that an answer may be posted back.
 * What is known here but not built yet passes this schema and is refused as `not_supported` by the trainer.
 */
export const TunefleetSettings = strict({
  task: Type.Optional(nullable(literals(...TASKS))),
  adapter: Type.Optional(
    strict({
      /** Left out: what the model is tuned by otherwise. */
      type: Type.Optional(Type.String()),
      rank: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
      alpha: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
      dropout: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1 })),
      targets: Type.Optional(Type.Union([Expression, Names])),
      rank_pattern: Type.Optional(nullable(pattern(Type.Integer({ minimum: 1, maximum: 256 })))),
      alpha_pattern: Type.Optional(nullable(pattern(Type.Number({ exclusiveMinimum: 0 })))),
      use_rslora: Type.Optional(Type.Boolean()),
      layers_to_transform: Type.Optional(nullable(Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 1024 }))),
      layers_pattern: Type.Optional(nullable(Names)),
      exclude_modules: Type.Optional(nullable(Type.Union([Expression, Names]))),
      modules_to_save: Type.Optional(nullable(Type.Array(Expression, { maxItems: 64 }))),
      bias: Type.Optional(Type.String()),
      use_dora: Type.Optional(Type.Boolean()),
    }),
  ),
  added_tokens: Type.Optional(nullable(Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 1024, uniqueItems: true }))),
  base_precision: Type.Optional(literals('float32', 'int4')),
  memory: Type.Optional(literals('fast', 'lean')),
  freeze: Type.Optional(nullable(strict({ ...Layers, backbone: Type.Optional(Type.Boolean()) }))),
  unfreeze: Type.Optional(nullable(Type.Array(strict({ at_epoch: Type.Integer({ minimum: 0 }), ...Layers })))),
  optimizer: Type.Optional(
    strict({
      type: Type.Optional(literals('adamw')),
      learning_rate: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 10 })),
      betas: Type.Optional(Type.Array(Type.Number({ minimum: 0, exclusiveMaximum: 1 }), { minItems: 2, maxItems: 2 })),
      eps: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
      weight_decay: Type.Optional(Type.Number({ minimum: 0, maximum: 10 })),
      max_grad_norm: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
      non_finite: Type.Optional(literals('stop', 'skip')),
      schedule: Type.Optional(
        strict({
          type: Type.Optional(literals('constant', 'linear', 'cosine')),
          warmup_ratio: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
        }),
      ),
    }),
  ),
  sequence: Type.Optional(
    strict({
      max_tokens: Type.Optional(Type.Integer({ minimum: 8, maximum: 131_072 })),
      packing: Type.Optional(Type.Boolean()),
      on_overflow: Type.Optional(literals('error', 'truncate', 'drop')),
    }),
  ),
  micro_batch_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
  max_steps: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 10_000_000 }))),
  shuffle: Type.Optional(Type.Boolean()),
  early_stopping: Type.Optional(
    nullable(strict({ metric: Type.Optional(Type.String()), patience: Type.Optional(Type.Integer({ minimum: 1 })) })),
  ),
  snapshot: Type.Optional(
    strict({ every_steps: Type.Optional(Type.Integer({ minimum: 1 })), keep: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })) }),
  ),
  priority: Type.Optional(Type.Integer({ minimum: -100, maximum: 100 })),
  queue: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' })),
  /** Only answered: why a waiting job waits, and its place (1 is next). Ignored when posted. */
  waiting: Type.Optional(nullable(Type.Object({ reason: Type.String(), place: nullable(Type.Integer()) }))),
});
export type TunefleetSettings = Type.Static<typeof TunefleetSettings>;
