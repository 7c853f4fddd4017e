import { createHash } from 'node:crypto';
import { type Example, trainedTokens } from '../prepare/example.js';
import {
  ALIGNMENT,
  COLUMNS,
  type Column,
  LABELS,
  MAGIC,
  MANIFEST_NAME,
  type PreparedManifest,
  SCHEMA,
  shardName,
  VALUE_BYTES,
} from './format.js';

/** Takes one finished file; files come in order, the manifest last. */
export type ShardSink = (name: string, bytes: Uint8Array) => Promise<void>;

/** Tokens of a shard (8 bytes each): 16 MiB, well under what an object store takes in one piece. */
const DEFAULT_SHARD_TOKENS = 2 * 1024 * 1024;

type Totals = Pick<PreparedManifest, 'examples' | 'tokens' | 'trained_tokens' | 'longest' | 'shards'>;

/** Writes examples as shards of bounded size. The same examples give the same bytes. */
export class ShardWriter {
  private pending: Example[] = [];
  private pendingTokens = 0;
  readonly totals: Totals = { examples: 0, tokens: 0, trained_tokens: 0, longest: 0, shards: [] };

  constructor(
    private readonly sink: ShardSink,
    private readonly shardTokens = DEFAULT_SHARD_TOKENS,
  ) {}

  async add(example: Example): Promise<void> {
    const { length } = example.ids;
    if (this.pending.length > 0 && this.pendingTokens + length > this.shardTokens) await this.flush();
    this.pending.push(example);
    this.pendingTokens += length;
    this.totals.examples += 1;
    this.totals.tokens += length;
    this.totals.trained_tokens += trainedTokens(example);
    this.totals.longest = Math.max(this.totals.longest, length);
  }

  /** Writes what is pending and the manifest. */
  async finish(
    about: Pick<PreparedManifest, 'kind' | 'labels' | 'rows' | 'truncated' | 'dropped' | 'settings'>,
  ): Promise<PreparedManifest> {
    await this.flush();
    const { examples, tokens, trained_tokens, longest, shards } = this.totals;
    const { kind, labels, rows, truncated, dropped, settings } = about;
    const columns = columnsOf(labels !== undefined).map(({ name }) => name);
    const manifest: PreparedManifest = {
      schema: SCHEMA,
      kind,
      columns,
      examples,
      tokens,
      trained_tokens,
      longest,
      ...(labels ? { labels } : {}),
      rows,
      truncated,
      dropped,
      settings,
      shards,
    };
    await this.sink(MANIFEST_NAME, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
    return manifest;
  }

  private async flush(): Promise<void> {
    if (this.pending.length === 0) return;
    const bytes = encodeShard(this.pending, this.pendingTokens);
    const name = shardName(this.totals.shards.length);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.totals.shards.push({ name, bytes: bytes.length, sha256, examples: this.pending.length, tokens: this.pendingTokens });
    this.pending = [];
    this.pendingTokens = 0;
    await this.sink(name, bytes);
  }
}

function encodeShard(examples: readonly Example[], tokens: number): Uint8Array {
  const counts = { example: examples.length, token: tokens, bound: examples.length + 1 };
  const classified = examples[0]?.label !== undefined;
  const { header, columns, size } = layout(counts, columnsOf(classified));
  const buffer = new ArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  bytes.set(Buffer.from(MAGIC));
  new DataView(buffer).setUint32(MAGIC.length, header.length, true);
  bytes.set(header, MAGIC.length + 4);
  const [bounds, rows, ids, weights, labels] = columns.map(({ offset, count }) => ({ offset, count }));
  const boundValues = new Uint32Array(buffer, bounds!.offset, bounds!.count);
  const rowValues = new Uint32Array(buffer, rows!.offset, rows!.count);
  const idValues = new Int32Array(buffer, ids!.offset, ids!.count);
  const weightValues = new Float32Array(buffer, weights!.offset, weights!.count);
  if (labels) new Int32Array(buffer, labels.offset, labels.count).set(examples.map(({ label }) => label!));
  let at = 0;
  for (const [index, example] of examples.entries()) {
    rowValues[index] = example.row;
    idValues.set(example.ids, at);
    weightValues.set(example.weights, at);
    at += example.ids.length;
    boundValues[index + 1] = at;
  }
  return bytes;
}

const columnsOf = (classified: boolean): typeof COLUMNS => (classified ? [...COLUMNS, LABELS] : COLUMNS);

/** Offsets stand in the header, whose length shifts them: a header of fixed length, padded, ends the circle. */
function layout(counts: Record<Column['per'], number>, kept: typeof COLUMNS): { header: Uint8Array; columns: Column[]; size: number } {
  const headerBytes = 1024 - MAGIC.length - 4;
  let at = 1024;
  const columns = kept.map((column) => {
    const placed: Column = { ...column, count: counts[column.per], offset: at };
    at = Math.ceil((at + placed.count * VALUE_BYTES) / ALIGNMENT) * ALIGNMENT;
    return placed;
  });
  const header = new Uint8Array(headerBytes).fill(0x20);
  header.set(Buffer.from(JSON.stringify({ columns })));
  return { header, columns, size: at };
}
