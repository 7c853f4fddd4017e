import { ApiError, LIMITS } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import type { TObject } from 'typebox';
import { Compile } from 'typebox/compile';
import { Bucket } from './bucket.js';
import { type Current, compareAndSet, type Envelope, parse, readCurrent } from './compare-and-set.js';
import { follow } from './follow.js';
import { encodeKey } from './key.js';
import { Listing, type ListQuery, TOMBSTONE_MS } from './listing.js';

/** What every record has. `created_at` in seconds; `schema` is the version of its shape. */
export interface RecordBase {
  id: string;
  project: string;
  created_at: number;
  schema: number;
}

export interface Stored<T> {
  value: T;
  revision: number;
}

export interface RecordsOptions<T, P> {
  bucket: string;
  /** Several kinds may share a bucket: keys are `<prefix>.<encoded id>`. */
  prefix: string;
  /** Checked when read and when written. */
  schema: TObject;
  /** Makes today's shape of a stored value that does not match the schema any more. */
  upgrade?: (old: unknown) => T;
  /** What the index keeps of a record: as little as lists and decisions need. */
  project: (value: T) => P;
}

/** Records of one kind, owned by one service. Writes are compare-and-set; reads for decisions are answered by the leader. */
export interface Records<T extends RecordBase, P> {
  /** Idempotent by id: a record that is there already is answered as it is, with `created: false`. */
  create(value: T): Promise<Stored<T> & { created: boolean }>;
  get(id: string): Promise<Stored<T> | null>;
  /** `change` may run several times; null leaves the record as it is; what it throws reaches the caller. Throws `not_found`. */
  update(id: string, change: (value: T) => T | null): Promise<Stored<T>>;
  /** Its place in lists is known for another hour. Deleting what is gone is no error. */
  delete(id: string): Promise<void>;
  /** The index is whole. False while NATS is away. */
  ready(): boolean;
  list(query: ListQuery<P>): { items: P[]; has_more: boolean };
  /** From the index. */
  find(id: string): P | null;
  all(): Iterable<P>;
  count(where: (projection: P) => boolean): number;
  onChange(callback: (id: string, projection: P | null) => void): () => void;
  close(): void;
}

export async function openRecords<T extends RecordBase, P>(bus: Bus, options: RecordsOptions<T, P>): Promise<Records<T, P>> {
  const bucket = await Bucket.open(bus, options.bucket);
  const records = new KvRecords(bucket, options);
  await records.started;
  return records;
}

const SWEEP_MS = 300_000;

class KvRecords<T extends RecordBase, P> implements Records<T, P> {
  readonly started: Promise<void>;
  private readonly listing = new Listing<P>();
  private readonly tombstones = new Map<string, { revision: number; at: number }>();
  private readonly callbacks = new Set<(id: string, projection: P | null) => void>();
  private readonly writing = new Map<string, Promise<unknown>>();
  private passed: Set<string> | null = null;
  private readonly schema;
  private readonly follower;
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly bucket: Bucket,
    private readonly options: RecordsOptions<T, P>,
  ) {
    this.schema = Compile(options.schema);
    this.follower = follow(
      bucket,
      `${options.prefix}.>`,
      ({ value, revision }) => this.seen(parse(value), revision),
      () => this.beginPass(),
    );
    this.started = this.follower.started;
    this.sweeper = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  async create(value: T): Promise<Stored<T> & { created: boolean }> {
    const { current, written } = await this.change(value.id, (envelope) => {
      if (envelope && envelope.value !== null) return null;
      return { value: this.checked(value) };
    });
    return { ...this.stored(current)!, created: written };
  }

  async get(id: string): Promise<Stored<T> | null> {
    return this.stored(await readCurrent(this.bucket, this.key(id)));
  }

  async update(id: string, change: (value: T) => T | null): Promise<Stored<T>> {
    const { current } = await this.change(id, (envelope) => {
      if (!envelope || envelope.value === null) throw new ApiError('not_found', `There is no '${id}'.`);
      const next = change(this.read(envelope.value));
      if (next === null) return null;
      if (next.id !== id) throw new Error(`a change of ${id} may not change its id`);
      return { value: this.checked(next) };
    });
    return this.stored(current)!;
  }

  async delete(id: string): Promise<void> {
    await this.change(id, (envelope) => {
      if (!envelope || envelope.value === null) return null;
      const { project, created_at } = envelope.value as T;
      return { value: null, tombstone: { id, project, created_at, at: Date.now() } };
    });
  }

  ready(): boolean {
    return this.follower.ready();
  }

  list(query: ListQuery<P>): { items: P[]; has_more: boolean } {
    return this.listing.list(query);
  }

  find(id: string): P | null {
    return this.listing.get(id);
  }

  all(): Iterable<P> {
    return this.listing.all();
  }

  count(where: (projection: P) => boolean): number {
    let count = 0;
    for (const projection of this.all()) if (where(projection)) count++;
    return count;
  }

  onChange(callback: (id: string, projection: P | null) => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  close(): void {
    this.follower.stop();
    clearInterval(this.sweeper);
  }

  /** Changes of one record by this process wait for each other; the index knows an own write from its ack on. */
  private async change(id: string, decide: Parameters<typeof compareAndSet>[2]) {
    const previous = this.writing.get(id) ?? Promise.resolve();
    const run = previous.then(() => compareAndSet(this.bucket, this.key(id), decide));
    const settled = run.catch(() => undefined);
    this.writing.set(id, settled);
    try {
      const result = await run;
      this.seen(result.current.envelope, result.current.revision);
      return result;
    } finally {
      if (this.writing.get(id) === settled) this.writing.delete(id);
    }
  }

  private key(id: string): string {
    return `${this.options.prefix}.${encodeKey(id)}`;
  }

  private stored({ envelope, revision }: Current): Stored<T> | null {
    return envelope === null || envelope.value === null ? null : { value: this.read(envelope.value), revision };
  }

  private read(value: unknown): T {
    if (this.schema.Check(value)) return value as T;
    const upgraded = this.options.upgrade?.(value) ?? value;
    if (this.schema.Check(upgraded)) return upgraded as T;
    throw new ApiError('internal_error', `A stored ${this.options.prefix} does not match its schema: ${this.fault(upgraded)}`);
  }

  private checked(value: T): T {
    if (!this.schema.Check(value))
      throw new ApiError('internal_error', `A ${this.options.prefix} does not match its schema: ${this.fault(value)}`);
    const bytes = Buffer.byteLength(JSON.stringify(value));
    if (bytes > LIMITS.recordBytes)
      throw new ApiError(
        'body_too_large',
        `The ${this.options.prefix} is too large to be recorded: ${bytes} bytes, at most ${LIMITS.recordBytes}.`,
      );
    return value;
  }

  private fault(value: unknown): string {
    const [first] = this.schema.Errors(value);
    return first ? `${first.instancePath} ${first.message}` : 'unknown fault';
  }

  private seen(envelope: Envelope | null, revision: number): void {
    const position = (envelope?.value ?? envelope?.tombstone) as RecordBase | undefined;
    if (!envelope || !position) return;
    const { id } = position;
    this.passed?.add(id);
    try {
      const projection = envelope.value === null ? null : this.options.project(this.read(envelope.value));
      if (!this.listing.apply(position, revision, projection)) return;
      if (envelope.tombstone) this.tombstones.set(id, { revision, at: envelope.tombstone.at });
      else this.tombstones.delete(id);
      this.tell(id, projection);
    } catch (error) {
      this.bucket.bus.logger.error({ err: error, id, revision }, 'a stored record is left out of the index');
    }
  }

  private tell(id: string, projection: P | null): void {
    for (const callback of this.callbacks) {
      try {
        callback(id, projection);
      } catch (error) {
        this.bucket.bus.logger.error({ err: error, id }, 'a follower of records failed');
      }
    }
  }

  /** What was known before and is not seen in a whole pass has vanished meanwhile. */
  private beginPass(): () => void {
    const known = this.listing.revisions();
    const passed = new Set<string>();
    this.passed = passed;
    return () => {
      this.passed = null;
      const now = this.listing.revisions();
      for (const [id, revision] of known) {
        if (passed.has(id) || now.get(id) !== revision) continue;
        this.listing.remove(id);
        this.tombstones.delete(id);
        this.tell(id, null);
      }
    };
  }

  /** Erases tombstones that are an hour old. Every replica may; each erases one revision exactly. */
  private async sweep(): Promise<void> {
    for (const [id, { revision, at }] of this.tombstones) {
      if (Date.now() - at < TOMBSTONE_MS) continue;
      try {
        await this.bucket.erase(revision);
      } catch (error) {
        this.bucket.bus.logger.debug({ err: error, id }, 'tombstone not erased');
      }
      this.tombstones.delete(id);
      this.listing.remove(id);
    }
  }
}
