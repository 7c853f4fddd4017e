/**
 * The prepared-shard format, version 1: `manifest.json` and shards `shard-00000.bin`, ... Each shard is
 *
 *     8 bytes   "TFSHARD1"
 *     4 bytes   length of the header, little-endian
 *     header    JSON {columns: [{name, dtype, per, count, offset}]}, padded with spaces
 *     data      the columns, each at a multiple of 64 bytes; offsets count from the start of the file
 *
 * `per` says what a column has one value for: `example`, `token`, or `bound` (examples + 1). Version 1 has these columns:
 *
 *     bounds   uint32, bound    tokens of example i are [bounds[i], bounds[i + 1]) of the shard
 *     rows     uint32, example  line of the training file
 *     ids      int32, token
 *     weights  float32, token   weight of the loss of predicting this token
 *     labels   int32, example   of classification alone: number of its class among the manifest's `labels`
 *
 * Room for what is to come, as further columns that the manifest names in `columns`; a reader refuses a column that it does not know:
 *
 *     row_weights              float32, example
 *     soft_ids, soft_logits    int32 and float32, token x k (the column says `width`: k)
 *     pair, side               uint32 and uint8, example: preference pairs
 *     window_row, window_start uint32, example: windows over one long context
 */
export const MAGIC = 'TFSHARD1';
export const SCHEMA = 1;
export const ALIGNMENT = 64;
export const MANIFEST_NAME = 'manifest.json';

export const shardName = (index: number): string => `shard-${String(index).padStart(5, '0')}.bin`;

export type ColumnName = 'bounds' | 'rows' | 'ids' | 'weights' | 'labels';

export interface Column {
  name: ColumnName;
  dtype: 'uint32' | 'int32' | 'float32';
  per: 'example' | 'token' | 'bound';
  /** Values. All dtypes of version 1 take 4 bytes. */
  count: number;
  offset: number;
}

export const COLUMNS: readonly Pick<Column, 'name' | 'dtype' | 'per'>[] = [
  { name: 'bounds', dtype: 'uint32', per: 'bound' },
  { name: 'rows', dtype: 'uint32', per: 'example' },
  { name: 'ids', dtype: 'int32', per: 'token' },
  { name: 'weights', dtype: 'float32', per: 'token' },
];

/** Beside those, where examples have a class. */
export const LABELS: (typeof COLUMNS)[number] = { name: 'labels', dtype: 'int32', per: 'example' };

export const VALUE_BYTES = 4;

/** What was prepared, and from what. Counts are of whole files, not of shards. */
export interface PreparedManifest {
  schema: typeof SCHEMA;
  kind: string;
  columns: ColumnName[];
  examples: number;
  tokens: number;
  trained_tokens: number;
  /** Of the longest example. */
  longest: number;
  /** Of classification: the classes by number. */
  labels?: string[];
  /** Rows of the file; those that lost their end; those left out. */
  rows: number;
  truncated: number;
  dropped: number;
  settings: { max_tokens: number; on_overflow: 'error' | 'truncate' | 'drop'; date: string };
  shards: { name: string; bytes: number; sha256: string; examples: number; tokens: number }[];
}
