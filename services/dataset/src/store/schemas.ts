import { FileStatus, Nullable } from '@tunefleet/contracts';
import { WorkState } from '@tunefleet/jobs';
import { type Static, Type } from 'typebox';

const Base = { id: Type.String(), project: Type.String(), created_at: Type.Integer(), schema: Type.Literal(1) };

export const RowFault = Type.Object({ line: Type.Integer(), column: Type.Integer(), code: Type.String(), message: Type.String() });
export type RowFault = Static<typeof RowFault>;

/** What a look at every row found. `data` holds the first faults, at most 32 KB of them. */
export const RowReport = Type.Object({
  rows: Type.Integer(),
  kind: Nullable(Type.String()),
  faults: Type.Record(Type.String(), Type.Integer()),
  data: Type.Array(RowFault),
});
export type RowReport = Static<typeof RowReport>;

export const FileRecord = Type.Object({
  ...Base,
  filename: Type.String(),
  purpose: Type.String(),
  bytes: Type.Integer(),
  sha256: Type.String(),
  /** Of its bytes in the object store. */
  key: Type.String(),
  expires_at: Nullable(Type.Integer()),
  status: FileStatus,
  status_details: Nullable(Type.String()),
  report: Nullable(RowReport),
});
export type FileRecord = Static<typeof FileRecord>;

/** What the index keeps of a file: all but its report. */
export type FileEntry = Omit<FileRecord, 'report'> & { rows: number | null; kind: string | null };

/** Settings that shards depend on, and the hash that stands for them, the file's bytes and the tokenizer. */
export const Preparation = Type.Object({
  hash: Type.String(),
  model: Type.String(),
  tokenizer_sha256: Type.String(),
  task: Type.String(),
  max_tokens: Type.Integer(),
  on_overflow: Type.Union([Type.Literal('error'), Type.Literal('truncate'), Type.Literal('drop')]),
  added_tokens: Type.Optional(Type.Array(Type.String())),
});
export type Preparation = Static<typeof Preparation>;

/** Prepared shards, or why there are none. */
export const PreparedOutcome = Type.Union([
  Type.Object({ fault: RowFault }),
  Type.Object({
    examples: Type.Integer(),
    tokens: Type.Integer(),
    trained_tokens: Type.Integer(),
    longest: Type.Integer(),
    truncated: Type.Integer(),
    dropped: Type.Integer(),
    labels: Type.Optional(Type.Array(Type.String())),
    files: Type.Array(Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Type.String() })),
  }),
]);
export type PreparedOutcome = Static<typeof PreparedOutcome>;

/** Durable work on one file: `check-<file id>`, or `prep-<project>-<hash>`. */
export const TaskRecord = Type.Object({
  ...Base,
  /** Ids of the files it is for: several of one content share a preparation. */
  files: Type.Array(Type.String(), { maxItems: 64 }),
  sha256: Type.String(),
  preparation: Nullable(Preparation),
  outcome: Nullable(PreparedOutcome),
  /** Seconds; when somebody last asked for the outcome, to the hour. */
  asked_at: Type.Integer(),
  work: WorkState,
});
export type TaskRecord = Static<typeof TaskRecord>;

/**
 * An object (or, ending in a slash, a prefix) that is to go unless a record refers to it by then. Written before bytes that have no
 * record yet, and before a record whose bytes are to follow it: whatever line a process dies at, nothing is left behind.
 */
export const Intent = Type.Object({ ...Base, key: Type.String(), not_before: Type.Integer() });
export type Intent = Static<typeof Intent>;
