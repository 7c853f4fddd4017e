import { Type } from 'typebox';
import { LIMITS } from '../limits.js';
import { TunefleetSettings } from './job-settings.js';
import { nullable, strict } from './strict.js';

/** `auto`, or a number within the bounds that OpenAI documents. */
const orAuto = <T extends Type.TSchema>(schema: T) => Type.Union([Type.Literal('auto'), schema]);

const supervised = {
  batch_size: Type.Optional(orAuto(Type.Integer({ minimum: 1, maximum: 256 }))),
  learning_rate_multiplier: Type.Optional(orAuto(Type.Number({ exclusiveMinimum: 0 }))),
  n_epochs: Type.Optional(orAuto(Type.Integer({ minimum: 1, maximum: 50 }))),
};
export const SupervisedHyperparameters = strict(supervised);
export type SupervisedHyperparameters = Type.Static<typeof SupervisedHyperparameters>;

/** Known methods. `dpo` and `reinforcement` are checked for their keys, then refused as `not_supported`. */
const Method = strict({
  type: Type.Enum(['supervised', 'dpo', 'reinforcement']),
  supervised: Type.Optional(strict({ hyperparameters: Type.Optional(SupervisedHyperparameters) })),
  dpo: Type.Optional(
    strict({
      hyperparameters: Type.Optional(
        strict({ ...supervised, beta: Type.Optional(orAuto(Type.Number({ exclusiveMinimum: 0, maximum: 2 }))) }),
      ),
    }),
  ),
  reinforcement: Type.Optional(
    strict({
      grader: Type.Unknown(),
      response_format: Type.Optional(Type.Unknown()),
      hyperparameters: Type.Optional(
        strict({
          ...supervised,
          compute_multiplier: Type.Optional(orAuto(Type.Number({ exclusiveMinimum: 0.00001, maximum: 10 }))),
          eval_interval: Type.Optional(orAuto(Type.Integer({ minimum: 1 }))),
          eval_samples: Type.Optional(orAuto(Type.Integer({ minimum: 1 }))),
          reasoning_effort: Type.Optional(Type.Enum(['default', 'low', 'medium', 'high'])),
        }),
      ),
    }),
  ),
});

const Integration = strict({
  type: Type.Literal('wandb'),
  wandb: strict({
    project: Type.String(),
    name: Type.Optional(nullable(Type.String())),
    entity: Type.Optional(nullable(Type.String())),
    tags: Type.Optional(Type.Array(Type.String())),
  }),
});

/** At most 16 pairs of strings. */
export const JobMetadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: LIMITS.metadataPairs,
  propertyNames: { maxLength: LIMITS.metadataKeyLength },
  additionalProperties: { type: 'string', maxLength: LIMITS.metadataValueLength },
});

/** `POST /v1/fine_tuning/jobs`. */
export const JobCreateBody = strict({
  model: Type.String({ minLength: 1, maxLength: 512 }),
  training_file: Type.String({ minLength: 1, maxLength: 512 }),
  validation_file: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 512 }))),
  hyperparameters: Type.Optional(SupervisedHyperparameters),
  method: Type.Optional(Method),
  integrations: Type.Optional(nullable(Type.Array(Integration))),
  metadata: Type.Optional(nullable(JobMetadata)),
  seed: Type.Optional(nullable(Type.Integer({ minimum: 0, maximum: 2147483647 }))),
  suffix: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: LIMITS.suffixLength }))),
  tunefleet: Type.Optional(TunefleetSettings),
});
export type JobCreateBody = Type.Static<typeof JobCreateBody>;

export const JOB_STATUSES = ['validating_files', 'queued', 'running', 'pausing', 'paused', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

const answered = {
  batch_size: nullable(orAuto(Type.Integer())),
  learning_rate_multiplier: orAuto(Type.Number()),
  n_epochs: orAuto(Type.Integer()),
};

/** `fine_tuning.job`, as OpenAI's client types have it, with our block. */
export const FineTuningJob = Type.Object({
  id: Type.String(),
  object: Type.Literal('fine_tuning.job'),
  created_at: Type.Integer(),
  error: nullable(Type.Object({ code: Type.String(), message: Type.String(), param: nullable(Type.String()) })),
  fine_tuned_model: nullable(Type.String()),
  finished_at: nullable(Type.Integer()),
  estimated_finish: nullable(Type.Integer()),
  hyperparameters: Type.Object(answered),
  integrations: Type.Array(Type.Unknown()),
  method: Type.Object({ type: Type.Literal('supervised'), supervised: Type.Object({ hyperparameters: Type.Object(answered) }) }),
  metadata: nullable(JobMetadata),
  model: Type.String(),
  organization_id: Type.String(),
  result_files: Type.Array(Type.String()),
  seed: Type.Integer(),
  status: Type.Enum(JOB_STATUSES),
  trained_tokens: nullable(Type.Integer()),
  training_file: Type.String(),
  user_provided_suffix: nullable(Type.String()),
  validation_file: nullable(Type.String()),
  tunefleet: TunefleetSettings,
});
export type FineTuningJob = Type.Static<typeof FineTuningJob>;

export const FineTuningJobEvent = Type.Object({
  id: Type.String(),
  object: Type.Literal('fine_tuning.job.event'),
  created_at: Type.Integer(),
  level: Type.Enum(['info', 'warn', 'error']),
  message: Type.String(),
  type: Type.Enum(['message', 'metrics']),
  data: nullable(Type.Record(Type.String(), Type.Unknown())),
});
export type FineTuningJobEvent = Type.Static<typeof FineTuningJobEvent>;

export const FineTuningJobCheckpoint = Type.Object({
  id: Type.String(),
  object: Type.Literal('fine_tuning.job.checkpoint'),
  created_at: Type.Integer(),
  fine_tuned_model_checkpoint: Type.String(),
  fine_tuning_job_id: Type.String(),
  step_number: Type.Integer(),
  metrics: Type.Record(Type.String(), Type.Number()),
});
export type FineTuningJobCheckpoint = Type.Static<typeof FineTuningJobCheckpoint>;
