import { ApiError, LIMITS, type RpcReply, type RpcRequest } from '@tunefleet/contracts';
import { addEvent } from '@tunefleet/jobs';
import type { JobRecord } from '../store/job-record.js';
import { snapshotPrefix } from './claim.js';
import { attemptPrefix } from './names.js';
import type { Trainer } from './parts.js';

const INEXACT = {
  message: 'The job went on from a snapshot of another engine build, CPU kernel class or number of threads: close, not the same bytes',
  level: 'warn',
} as const;

const SAFE_PATH = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

/** URLs to write below the attempt's prefix, for its holder alone. */
export async function signUploads(trainer: Trainer, { id, attempt, put }: RpcRequest<'trainer.sign'>): Promise<RpcReply<'trainer.sign'>> {
  const job = await trainer.work.heldBy(id, attempt);
  const unsafe = put.find((path) => !SAFE_PATH.test(path));
  if (unsafe !== undefined) throw new ApiError('invalid_value', `'${unsafe}' is no path below an attempt.`, { param: 'put' });
  const prefix = attemptPrefix(job, attempt);
  const sign = async (path: string) => [path, await trainer.store.sign('PUT', prefix + path, LIMITS.signedUrlSeconds)] as const;
  return { urls: Object.fromEntries(await Promise.all(put.map(sign))) };
}

/** Takes a snapshot whose manifest is uploaded as resume state; the oldest beyond `keep` go. */
export async function putSnapshot(trainer: Trainer, request: RpcRequest<'trainer.put_snapshot'>): Promise<void> {
  const { id, attempt, step, files, exact } = request;
  let dropped: JobRecord['snapshots'] = [];
  const job = await trainer.work.updateHeld(id, attempt, (current) => {
    dropped = [];
    if (current.snapshots.some((known) => known.attempt === attempt && known.step === step)) return null;
    const all = [...current.snapshots, { attempt, step, files }];
    dropped = all.slice(0, -current.settings.snapshot.keep);
    const next = { ...current, exact: current.exact && exact, snapshots: all.slice(-current.settings.snapshot.keep) };
    return current.exact && !exact ? addEvent(next, 'inexact', INEXACT) : next;
  });
  for (const old of dropped) await trainer.store.deletePrefix(snapshotPrefix(job, old));
}
