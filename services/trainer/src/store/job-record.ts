import { ResolvedModel } from '@tunefleet/contracts';
import { WorkState, type WorkSummary } from '@tunefleet/jobs';
import { type Static, Type } from 'typebox';
import { SettingsSchema } from '../domain/settings.js';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const OrAuto = Type.Union([Type.Literal('auto'), Type.Number()]);

/** What of a resolved model a job keeps: names and hashes, never its links (they expire). */
const ModelFacts = Type.Omit(ResolvedModel, ['files', 'adapter', 'base_precision']);

const DataFacts = Type.Object({
  hash: Type.String(),
  file_sha256: Type.String(),
  examples: Type.Integer(),
  tokens: Type.Integer(),
  trained_tokens: Type.Integer(),
  longest: Type.Integer(),
  truncated: Type.Integer(),
  dropped: Type.Integer(),
  labels: Type.Optional(Type.Array(Type.String())),
});
export type DataFacts = Static<typeof DataFacts>;

const SnapshotFile = Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Type.String() });

const Checkpoint = Type.Object({
  step: Type.Integer(),
  epoch: Type.Integer(),
  created_at: Type.Integer(),
  metrics: Type.Record(Type.String(), Type.Number()),
  /** Object key of the manifest that the first report named; a later attempt's equal checkpoint changes nothing. */
  manifest_key: Type.String(),
  /** The registry has it: shown by the API from then on. */
  registered: Type.Boolean(),
});
export type Checkpoint = Static<typeof Checkpoint>;

/** One fine-tuning job: its request, what was made of it, and its life (`work`). Kept below 64 KiB; metrics have a store of their own. */
export const JobRecord = Type.Object({
  id: Type.String(),
  project: Type.String(),
  created_at: Type.Integer(),
  schema: Type.Literal(1),
  model: ModelFacts,
  training_file: Type.String(),
  validation_file: Nullable(Type.String()),
  seed: Type.Integer(),
  suffix: Nullable(Type.String()),
  metadata: Nullable(Type.Record(Type.String(), Type.String())),
  requested: Type.Object({ batch_size: OrAuto, learning_rate_multiplier: OrAuto, n_epochs: OrAuto }),
  settings: SettingsSchema,
  /** Known once both files are prepared. */
  plan: Nullable(
    Type.Object({
      training: DataFacts,
      validation: Nullable(DataFacts),
      batch_size: Type.Integer(),
      n_epochs: Type.Integer(),
      steps: Type.Integer(),
    }),
  ),
  /** Last step reported, for `estimated_finish`; written every few seconds at most. */
  progress: Nullable(Type.Object({ step: Type.Integer(), seconds_per_step: Type.Number(), at: Type.Integer() })),
  /** False once an attempt went on from a snapshot of another engine. */
  exact: Type.Boolean(),
  /** Whole snapshots of any attempt, oldest first; pruned to `settings.snapshot.keep`. */
  snapshots: Type.Array(Type.Object({ attempt: Type.Integer(), step: Type.Integer(), files: Type.Array(SnapshotFile) })),
  checkpoints: Type.Array(Checkpoint),
  /** Object key of the version's manifest. */
  manifest_key: Nullable(Type.String()),
  /** The rows of metrics were moved from their store to `metrics.jsonl`. */
  metrics_archived: Type.Boolean(),
  fine_tuned_model: Nullable(Type.String()),
  result_file: Nullable(Type.String()),
  trained_tokens: Nullable(Type.Integer()),
  work: WorkState,
});
export type JobRecord = Static<typeof JobRecord>;

/** What the list index holds of a job, and what fair share and place are decided by. */
export interface JobEntry {
  id: string;
  project: string;
  created_at: number;
  work: WorkSummary;
  metadata: Record<string, string> | null;
  /** Tidied after its end. */
  tidy: boolean;
}
