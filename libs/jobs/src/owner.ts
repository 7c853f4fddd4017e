import type { Bus } from '@tunefleet/messaging';
import type { WorkRecord } from './life.js';
import type { WorkEntry, WorkOptions, WorkOwner } from './owner-options.js';

export async function openWork<R extends WorkRecord, P extends WorkEntry>(_bus: Bus, _options: WorkOptions<R, P>): Promise<WorkOwner<R>> {
  throw new Error('in the next commit');
}
