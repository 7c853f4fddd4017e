import type { WorkOwner } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Logger } from '@tunefleet/service';
import type { Store } from '../store/records.js';
import type { TaskRecord } from '../store/schemas.js';

/** What the domain works with. */
export interface Parts {
  bus: Bus;
  objects: ObjectStore;
  store: Store;
  logger: Logger;
  work: WorkOwner<TaskRecord>;
  /** Folder for downloads and shards under way; emptied at start. */
  scratch: string;
}

export const seconds = (): number => Math.floor(Date.now() / 1000);
