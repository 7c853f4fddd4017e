import { Type } from 'typebox';
import { Id, Nullable, ObjectLink } from './common.js';
import { TrainedTask } from './dataset.js';
import { AdapterInfo, ArtifactManifest, BasePrecision } from './registry.js';

export const OptimizerSettings = Type.Object({
  type: Type.Literal('adamw'),
  learning_rate: Type.Number(),
  betas: Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }),
  eps: Type.Number(),
  weight_decay: Type.Number(),
  max_grad_norm: Type.Number(),
  /** Absent in jobs from before there was a choice: stop. */
  non_finite: Type.Optional(Type.Union([Type.Literal('stop'), Type.Literal('skip')])),
  schedule: Type.Object({
    type: Type.Union([Type.Literal('constant'), Type.Literal('linear'), Type.Literal('cosine')]),
    warmup_ratio: Type.Number(),
  }),
});

/** `spec` of a claimed fine-tuning job: all that a pod needs, and nothing it could reach otherwise. */
export const TrainingClaim = Type.Object({
  job: Id,
  model: Id,
  task: TrainedTask,
  adapter: AdapterInfo,
  base_precision: BasePrecision,
  freeze: Nullable(Type.Object({ backbone: Type.Literal(true) })),
  added_tokens: Type.Optional(Type.Array(Type.String())),
  memory: Type.Union([Type.Literal('fast'), Type.Literal('lean')]),
  optimizer: OptimizerSettings,
  epochs: Type.Integer(),
  batch_size: Type.Integer(),
  micro_batch_size: Type.Integer(),
  max_steps: Nullable(Type.Integer()),
  shuffle: Type.Boolean(),
  seed: Type.Integer(),
  snapshot: Type.Object({ every_steps: Type.Integer(), keep: Type.Integer() }),
  base_files: Type.Array(ObjectLink),
  /** PEFT folder that the job continues, or null. */
  adapter_files: Nullable(Type.Array(ObjectLink)),
  training_files: Type.Array(ObjectLink),
  validation_files: Nullable(Type.Array(ObjectLink)),
  /** Newest whole snapshot of any attempt, or null. */
  snapshot_files: Nullable(Type.Array(ObjectLink)),
  /** Step of that snapshot; 0 without one. */
  snapshot_step: Type.Integer(),
  /** False once an attempt went on from a snapshot of another engine: byte-identity is not promised any more. */
  exact: Type.Boolean(),
  /** Key prefix of this attempt, ending in `/`: what a manifest's keys begin with. */
  prefix: Type.String(),
  lineage: Type.Record(Type.String(), Type.Unknown()),
});
export type TrainingClaim = Type.Static<typeof TrainingClaim>;

/** One optimizer step, as `GET .../metrics` answers it. */
export const MetricsRow = Type.Object({
  step: Type.Integer(),
  train_loss: Type.Number(),
  train_accuracy: Type.Number(),
  learning_rate: Type.Number(),
  tokens: Type.Integer(),
  valid_loss: Type.Optional(Type.Number()),
  valid_accuracy: Type.Optional(Type.Number()),
  /** The step changed nothing: its loss or gradient was no finite number on these rows of the training file (from 0). */
  skipped: Type.Optional(
    Type.Object({ quantity: Type.Union([Type.Literal('loss'), Type.Literal('gradient')]), rows: Type.Array(Type.Integer()) }),
  ),
});
export type MetricsRow = Type.Static<typeof MetricsRow>;

const Holder = { id: Id, attempt: Type.Integer() };

/** `result` of a completed attempt. */
export const TrainingResult = Type.Object({
  manifest: ArtifactManifest,
  trained_tokens: Type.Integer(),
});
export type TrainingResult = Type.Static<typeof TrainingResult>;

export const trainerRpc = {
  /** URLs below `<project>/jobs/<id>/attempts/<attempt>/`, for the current holder alone. */
  'trainer.sign': {
    request: Type.Object({ ...Holder, put: Type.Array(Type.String(), { maxItems: 64 }) }),
    reply: Type.Object({ urls: Type.Record(Type.String(), Type.String()) }),
  },
  /** A snapshot whose manifest is written: kept as resume state, older ones are pruned. */
  'trainer.put_snapshot': {
    request: Type.Object({
      ...Holder,
      step: Type.Integer(),
      exact: Type.Boolean(),
      files: Type.Array(Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Type.String() })),
    }),
    reply: Type.Object({}),
  },
  /** What an attempt computes on, and why: an event of the job. */
  'trainer.put_provider': {
    request: Type.Object({ ...Holder, provider: Type.String({ maxLength: 32 }), reason: Type.String({ maxLength: 1000 }) }),
    reply: Type.Object({}),
  },
  'trainer.put_checkpoint': {
    request: Type.Object({
      ...Holder,
      step: Type.Integer(),
      epoch: Type.Integer(),
      metrics: Type.Record(Type.String(), Type.Number()),
      manifest: ArtifactManifest,
    }),
    reply: Type.Object({}),
  },
} as const;
