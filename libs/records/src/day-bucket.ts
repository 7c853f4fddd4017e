import type { Bus } from '@tunefleet/messaging';
import { Bucket } from './bucket.js';

const DAY_MS = 24 * 3_600_000;
const buckets = new WeakMap<Bus, Promise<Bucket>>();

/** The service's bucket `<service>-leases`, whose entries vanish a day after their last write: leases (`lease.<id>`) and creations (`once.<sha256>`). */
export function openDayBucket(bus: Bus): Promise<Bucket> {
  const known = buckets.get(bus);
  if (known) return known;
  const opening = Bucket.open(bus, `${bus.name}-leases`, { ttlMs: DAY_MS });
  buckets.set(bus, opening);
  opening.catch(() => buckets.delete(bus));
  return opening;
}
