import type { Bus } from '@tunefleet/messaging';
import { type Bucket, encodeKey, type Follower, follow, openDayBucket } from '@tunefleet/records';

interface Lease {
  id: string;
  attempt: number;
  step: number;
}

interface Sighting {
  attempt: number;
  revision: number;
  step: number;
  /** On this process's monotonic clock, milliseconds. */
  at: number;
}

const keyOf = (id: string): string => `lease.${encodeKey(id)}`;

/**
 * Heartbeats, in a bucket apart from the records, so that they never collide with a user's move. Times are not compared between machines: a lease
 * has lapsed when this observer, on its own clock, has seen no new revision for the lease time, with one whole lease time of grace after whatever
 * may have kept it from seeing (its start, a NATS outage, a pause of the process).
 */
export class Leases {
  private readonly sightings = new Map<string, Sighting>();
  private graceFrom = performance.now();
  private lastLook = performance.now();
  private readonly off: () => void;

  private constructor(
    private readonly bucket: Bucket,
    private readonly leaseMs: number,
    private readonly follower: Follower,
    watch: { seen: (lease: Lease, revision: number) => void },
  ) {
    watch.seen = (lease, revision) => this.sighted(lease, revision);
    this.off = bucket.bus.onReconnect(() => {
      this.graceFrom = performance.now();
    });
  }

  static async open(bus: Bus, leaseMs: number): Promise<Leases> {
    const bucket = await openDayBucket(bus);
    const early: [Lease, number][] = [];
    const watch = { seen: (lease: Lease, revision: number): void => void early.push([lease, revision]) };
    const follower = follow(
      bucket,
      'lease.*',
      ({ value, revision }) => {
        if (value.length > 0) watch.seen(JSON.parse(Buffer.from(value).toString()) as Lease, revision);
      },
      () => () => undefined,
    );
    await follower.started;
    const leases = new Leases(bucket, leaseMs, follower, watch);
    for (const [lease, revision] of early) leases.sighted(lease, revision);
    return leases;
  }

  /** A heartbeat of the current holder. */
  async renew(id: string, attempt: number, step: number): Promise<void> {
    const lease: Lease = { id, attempt, step };
    const outcome = await this.bucket.write(keyOf(id), JSON.stringify(lease), null);
    if (typeof outcome === 'object') this.sighted(lease, outcome.stored);
  }

  /** True when the attempt's lease has lapsed for this observer. */
  lapsed(id: string, attempt: number): boolean {
    const now = performance.now();
    const known = this.sightings.get(id);
    if (known?.attempt !== attempt) {
      // Held, and no heartbeat seen yet: its time begins now.
      this.sightings.set(id, { attempt, revision: known?.revision ?? 0, step: 0, at: now });
      return false;
    }
    return this.follower.ready() && now - Math.max(known.at, this.graceFrom) > this.leaseMs;
  }

  /** Before each look over the leases: was this process, or NATS, away since the last one? */
  look(): void {
    const now = performance.now();
    if (now - this.lastLook > this.leaseMs / 2 || !this.follower.ready()) this.graceFrom = now;
    this.lastLook = now;
  }

  /** The last decision before an attempt is declared lost, by the leader's word: is there a revision that the watch has not brought? */
  async renewedUnseen(id: string): Promise<boolean> {
    const { data, revision } = await this.bucket.read(keyOf(id));
    const known = this.sightings.get(id);
    if (data === null || !known || revision === known.revision) return false;
    const lease = JSON.parse(Buffer.from(data).toString()) as Lease;
    this.sighted(lease, revision);
    return lease.attempt === known.attempt;
  }

  step(id: string, attempt: number): number {
    const known = this.sightings.get(id);
    return known?.attempt === attempt ? known.step : 0;
  }

  forget(id: string): void {
    this.sightings.delete(id);
  }

  ready(): boolean {
    return this.follower.ready();
  }

  close(): void {
    this.off();
    this.follower.stop();
  }

  private sighted({ id, attempt, step }: Lease, revision: number): void {
    const known = this.sightings.get(id);
    if (known && (known.revision >= revision || known.attempt > attempt)) return;
    this.sightings.set(id, { attempt, revision, step, at: performance.now() });
  }
}
