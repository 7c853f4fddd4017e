export { Bucket, type BucketOptions, type WriteOutcome } from './bucket.js';
export { createOnce } from './create-once.js';
export { openDayBucket } from './day-bucket.js';
export { type Follower, follow } from './follow.js';
export { decodeKey, encodeKey } from './key.js';
export type { ListQuery } from './listing.js';
export { openRecords, type RecordBase, type Records, type RecordsOptions, type Stored } from './records.js';
