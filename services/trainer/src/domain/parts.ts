import type { WorkOwner } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Records } from '@tunefleet/records';
import type { JobEntry, JobRecord } from '../store/job-record.js';
import type { MetricsStore } from '../store/metrics.js';

export type JobRecords = Records<JobRecord, JobEntry>;

/** What the domain works with. */
export interface Parts {
  bus: Bus;
  records: JobRecords;
  metrics: MetricsStore;
  store: ObjectStore;
}

export interface Trainer extends Parts {
  work: WorkOwner<JobRecord>;
}
