import { Type } from 'typebox';
import { Fault, Id, Nullable, ObjectLink, Project } from './common.js';

export const FileSummary = Type.Object({
  id: Id,
  filename: Type.String(),
  purpose: Type.String(),
  bytes: Type.Integer(),
  status: Type.Union([Type.Literal('uploaded'), Type.Literal('processed'), Type.Literal('error')]),
  sha256: Type.String(),
  /** Rows found by validation; null before, or for purposes that have no rows. */
  rows: Nullable(Type.Integer()),
  /** `chat`, `completion` or `classification` where the rows say so. */
  kind: Nullable(Type.String()),
  fault: Nullable(Fault),
});
export type FileSummary = Type.Static<typeof FileSummary>;

/** Tasks that can be trained: each has its own format of rows. */
export const TrainedTask = Type.Union([Type.Literal('chat'), Type.Literal('completion'), Type.Literal('classification')]);
export type TrainedTask = Type.Static<typeof TrainedTask>;

export const SequenceSettings = Type.Object({
  max_tokens: Type.Integer(),
  packing: Type.Boolean(),
  on_overflow: Type.Union([Type.Literal('error'), Type.Literal('truncate'), Type.Literal('drop')]),
});

/** Shards of one file, tokenized and masked for one base model. */
export const PreparedData = Type.Object({
  /** Content address: what the same file, base and settings give again. */
  hash: Type.String(),
  examples: Type.Integer(),
  tokens: Type.Integer(),
  trained_tokens: Type.Integer(),
  longest: Type.Integer(),
  truncated: Type.Integer(),
  dropped: Type.Integer(),
  /** Of classification: the classes by number. */
  labels: Type.Optional(Type.Array(Type.String())),
  files: Type.Array(ObjectLink),
});
export type PreparedData = Type.Static<typeof PreparedData>;

export const datasetRpc = {
  'dataset.get_file': { request: Type.Object({ project: Project, id: Id }), reply: FileSummary },
  /** A URL for the bytes of a file: jsonl sources of eval runs, imports. */
  'dataset.get_content': { request: Type.Object({ project: Project, id: Id }), reply: ObjectLink },
  /** Tokenize and mask one file for a base. Idempotent: ask again until `ready` or `failed`. URLs are fresh in each answer. */
  'dataset.prepare': {
    request: Type.Object({
      project: Project,
      file: Id,
      model: Id,
      task: TrainedTask,
      sequence: SequenceSettings,
      /** Tokens beside those of the model's tokenizer. */
      added_tokens: Type.Optional(Type.Array(Type.String())),
    }),
    reply: Type.Union([
      Type.Object({ status: Type.Literal('preparing') }),
      Type.Object({ status: Type.Literal('ready'), data: PreparedData }),
      Type.Object({ status: Type.Literal('failed'), fault: Fault }),
    ]),
  },
  /** Copy an object behind a signed URL into a new file with this (derived) id. Idempotent by id. */
  'dataset.create_result_file': {
    request: Type.Object({ project: Project, id: Id, filename: Type.String(), purpose: Type.String(), source: ObjectLink }),
    reply: FileSummary,
  },
} as const;
