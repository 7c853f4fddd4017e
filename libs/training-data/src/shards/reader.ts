import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Example } from '../prepare/example.js';
import {
  COLUMNS,
  type Column,
  type ColumnName,
  LABELS,
  MAGIC,
  MANIFEST_NAME,
  type PreparedManifest,
  SCHEMA,
  shardName,
  VALUE_BYTES,
} from './format.js';

/** Examples by index, as the training loop draws them. */
export interface ExampleSource {
  readonly count: number;
  get(index: number): Example;
}

/** A prepared folder that does not hold what it should. */
export class PreparedDataError extends Error {
  override readonly name = 'PreparedDataError';
}

interface Shard {
  file: number;
  /** Index of its first example. */
  first: number;
  bounds: Uint32Array;
  rows: Uint32Array;
  /** Null where examples have no class. */
  labels: Int32Array | null;
  idsAt: number;
  weightsAt: number;
}

/** Prepared shards in a folder. Kept in memory: 8 bytes an example, 12 with classes; tokens are read when asked for. */
export class PreparedData implements ExampleSource {
  private constructor(
    readonly manifest: PreparedManifest,
    private readonly shards: readonly Shard[],
  ) {}

  /** Checks every shard against the manifest's hashes. Errors: {@link PreparedDataError}. */
  static async open(folder: string): Promise<PreparedData> {
    const manifest = parseManifest(await readFile(join(folder, MANIFEST_NAME), 'utf8'));
    const shards: Shard[] = [];
    try {
      let first = 0;
      for (const [index, entry] of manifest.shards.entries()) {
        if (entry.name !== shardName(index))
          throw new PreparedDataError(`the manifest names ${entry.name} where ${shardName(index)} belongs`);
        const path = join(folder, entry.name);
        if ((await sha256(path)) !== entry.sha256) throw new PreparedDataError(`${entry.name} is not the file that the manifest names`);
        shards.push(openShard(path, first, entry));
        first += entry.examples;
      }
      if (first !== manifest.examples)
        throw new PreparedDataError(`the shards hold ${first} examples, the manifest says ${manifest.examples}`);
    } catch (error) {
      for (const shard of shards) closeSync(shard.file);
      throw error;
    }
    return new PreparedData(manifest, shards);
  }

  get count(): number {
    return this.manifest.examples;
  }

  get(index: number): Example {
    const shard = this.shards.findLast(({ first }) => first <= index);
    const local = index - (shard?.first ?? 0);
    if (!shard || !Number.isInteger(index) || local < 0 || local >= shard.rows.length)
      throw new RangeError(`there is no example ${index} of ${this.count}`);
    const [start, end] = [shard.bounds[local]!, shard.bounds[local + 1]!];
    const ids = new Int32Array(end - start);
    const weights = new Float32Array(end - start);
    readExactly(shard.file, ids, shard.idsAt + start * VALUE_BYTES);
    readExactly(shard.file, weights, shard.weightsAt + start * VALUE_BYTES);
    const label = shard.labels?.[local];
    return { ids, weights, row: shard.rows[local]!, ...(label === undefined ? {} : { label }) };
  }

  close(): void {
    for (const { file } of this.shards) closeSync(file);
  }
}

function parseManifest(text: string): PreparedManifest {
  const manifest = JSON.parse(text) as PreparedManifest;
  if (manifest.schema !== SCHEMA) throw new PreparedDataError(`the manifest has schema ${manifest.schema}; this version reads ${SCHEMA}`);
  const known = [...COLUMNS, LABELS].map(({ name }) => name);
  const unknown = manifest.columns.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new PreparedDataError(`the shards have the column \`${unknown}\`, which this version does not know`);
  return manifest;
}

function openShard(path: string, first: number, entry: PreparedManifest['shards'][number]): Shard {
  const file = openSync(path, 'r');
  try {
    const columns = readColumns(file);
    const column = (name: ColumnName) => {
      const found = columns.find((candidate) => candidate.name === name);
      if (!found) throw new PreparedDataError(`${entry.name} has no column \`${name}\``);
      return found;
    };
    const bounds = new Uint32Array(column('bounds').count);
    const rows = new Uint32Array(column('rows').count);
    readExactly(file, bounds, column('bounds').offset);
    readExactly(file, rows, column('rows').offset);
    const labelled = columns.find(({ name }) => name === LABELS.name);
    const labels = labelled ? new Int32Array(labelled.count) : null;
    if (labels && labelled) readExactly(file, labels, labelled.offset);
    if (rows.length !== entry.examples || bounds.at(-1) !== entry.tokens)
      throw new PreparedDataError(`${entry.name} does not hold what the manifest says`);
    return { file, first, bounds, rows, labels, idsAt: column('ids').offset, weightsAt: column('weights').offset };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function readColumns(file: number): Column[] {
  const start = new Uint8Array(MAGIC.length + 4);
  readExactly(file, start, 0);
  if (Buffer.from(start.subarray(0, MAGIC.length)).toString('latin1') !== MAGIC)
    throw new PreparedDataError('this is not a prepared shard');
  const header = Buffer.alloc(new DataView(start.buffer).getUint32(MAGIC.length, true));
  readExactly(file, header, start.length);
  return (JSON.parse(header.toString('utf8')) as { columns: Column[] }).columns;
}

function readExactly(file: number, target: Uint8Array | Int32Array | Uint32Array | Float32Array, position: number): void {
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  let done = 0;
  while (done < bytes.length) {
    const read = readSync(file, bytes, done, bytes.length - done, position + done);
    if (read === 0) throw new PreparedDataError('a shard ends too early');
    done += read;
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
