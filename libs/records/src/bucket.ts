import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@tunefleet/messaging';
import { type JetStreamClient, type JetStreamManager, type KV, NatsError, StorageType } from 'nats';

/** JetStream's "wrong last sequence": another write came first, or an earlier try of this one. */
const WRONG_LAST_SEQUENCE = 10071;
const NO_MESSAGE_FOUND = 10037;
const REQUEST_MS = 2000;
const OPEN_MS = 30_000;

export interface BucketOptions {
  /** Entries vanish this long after their last write. */
  ttlMs?: number;
}

/** `conflict`: the revision expected was not the current one. `unknown`: it may or may not be stored. */
export type WriteOutcome = { stored: number } | 'conflict' | 'unknown';

/** One KV bucket, without the client's conveniences that hide what was stored. */
export class Bucket {
  readonly stream: string;

  private constructor(
    readonly bus: Bus,
    readonly name: string,
    readonly kv: KV,
    private readonly js: JetStreamClient,
    private readonly jsm: JetStreamManager,
  ) {
    this.stream = `KV_${name}`;
  }

  /** Made where it is not there; waits while JetStream starts. */
  static async open(bus: Bus, name: string, { ttlMs }: BucketOptions = {}): Promise<Bucket> {
    const js = bus.connection.jetstream({ timeout: REQUEST_MS });
    for (const started = Date.now(); ; await sleep(250)) {
      try {
        const jsm = await bus.connection.jetstreamManager({ timeout: REQUEST_MS, checkAPI: false });
        // Without allow_direct every read is answered by the leader. Replicas: one as long as the server stands alone.
        const kv = await js.views.kv(name, {
          history: 1,
          storage: StorageType.File,
          allow_direct: false,
          replicas: bus.replicas,
          ...(ttlMs === undefined ? {} : { ttl: ttlMs }),
        });
        return new Bucket(bus, name, kv, js, jsm);
      } catch (error) {
        if (Date.now() - started > OPEN_MS) throw error;
        bus.logger.warn({ err: error, bucket: name }, 'KV bucket cannot be opened yet');
      }
    }
  }

  /** From the leader. Revision 0 and null data: there is nothing. Throws NatsError when NATS does not answer. */
  async read(key: string): Promise<{ data: Uint8Array | null; revision: number }> {
    try {
      const { seq, data, header } = await this.jsm.streams.getMessage(this.stream, { last_by_subj: this.subject(key) });
      return { data: header.get('KV-Operation') ? null : data, revision: seq };
    } catch (error) {
      if (apiErrorCode(error) === NO_MESSAGE_FOUND) return { data: null, revision: 0 };
      throw error;
    }
  }

  /** @param expected the revision this replaces (0: none yet), or null to overwrite whatever is there */
  async write(key: string, data: string, expected: number | null): Promise<WriteOutcome> {
    try {
      const options = expected === null ? {} : { expect: { lastSubjectSequence: expected } };
      return { stored: (await this.js.publish(this.subject(key), data, options)).seq };
    } catch (error) {
      if (apiErrorCode(error) === WRONG_LAST_SEQUENCE) return 'conflict';
      if (error instanceof NatsError && !isPermanent(error)) return 'unknown';
      throw error;
    }
  }

  /** Removes exactly this revision and leaves no marker. */
  async erase(revision: number): Promise<void> {
    await this.jsm.streams.deleteMessage(this.stream, revision, false);
  }

  private subject(key: string): string {
    return `$KV.${this.name}.${key}`;
  }
}

const apiErrorCode = (error: unknown): number | undefined => (error instanceof NatsError ? error.api_error?.err_code : undefined);
const isPermanent = (error: NatsError): boolean => error.isPermissionError() || error.code === 'MAX_PAYLOAD_EXCEEDED';
