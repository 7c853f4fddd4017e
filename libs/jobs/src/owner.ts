import { ApiError } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import type { Stored } from '@tunefleet/records';
import { admissionOrder, type Place } from './admission.js';
import { asPermanent, isHolder, requireHolder, requireOpen } from './holding.js';
import { Leases } from './leases.js';
import { addEvents, afterLoss, moved, newWork, seconds, type WorkRecord } from './life.js';
import type { WorkEntry, WorkOptions, WorkOwner } from './owner-options.js';
import { type JobsReply, type JobsRequest, respondFor } from './protocol.js';
import { Reconciler } from './reconciler.js';
import { isHeld, type WorkError } from './state.js';
import { controlSubject, WorkQueue } from './work-queue.js';

const LEASE_MS = 15_000;
const MAX_ATTEMPTS = 5;
const RETRY_MS = 1000;

/** Opens the owner's side of the work in these records: stream, consumers, leases, reconciler, and the answers to workers. */
export async function openWork<R extends WorkRecord, P extends WorkEntry>(bus: Bus, options: WorkOptions<R, P>): Promise<WorkOwner<R>> {
  if (bus.name !== options.service) throw new Error(`${bus.name} cannot own the work of ${options.service}`);
  const queue = await WorkQueue.open(bus, options.service);
  const leases = await Leases.open(bus, options.leaseMs ?? LEASE_MS);
  await queue.ensure(options.queues);
  const owner = new Owner(bus, options, queue, leases);
  respondFor(bus, options.service, options.queues, owner.handlers());
  owner.start();
  return owner;
}

/** Thrown within a change to end it: the claim finds nothing to do. */
class NothingToClaim extends Error {}

export class Owner<R extends WorkRecord, P extends WorkEntry> implements WorkOwner<R> {
  readonly maxAttempts: number;
  private readonly reconciler: Reconciler<R, P>;
  private claiming: Promise<unknown> = Promise.resolve();

  constructor(
    readonly bus: Bus,
    readonly options: WorkOptions<R, P>,
    readonly queue: WorkQueue,
    readonly leases: Leases,
  ) {
    this.maxAttempts = options.maxAttempts ?? MAX_ATTEMPTS;
    this.reconciler = new Reconciler(this);
  }

  start(): void {
    this.reconciler.start();
  }

  async submit(
    record: Omit<R, 'work'>,
    { queue, kind, priority = 0 }: { queue: string; kind: string; priority?: number },
  ): Promise<Stored<R> & { created: boolean }> {
    if (!this.options.queues.includes(queue)) throw new ApiError('invalid_value', `There is no queue '${queue}'.`, { param: 'queue' });
    const work = newWork(queue, kind, priority, this.options.prepare ? 'validating_files' : 'queued');
    const stored = await this.options.records.create(addEvents({ ...record, work } as R, 'created', this.options.texts));
    if (stored.created) this.changed(stored.value);
    return stored;
  }

  async move(id: string, move: 'cancel' | 'pause' | 'resume', { repeat = false } = {}): Promise<R> {
    const record = await this.update(id, (current) => {
      const { state } = current.work;
      const there = { cancel: ['cancelled'], pause: ['pausing', 'paused'], resume: ['queued', 'validating_files', 'running'] }[move];
      if (repeat && there.includes(state)) return null;
      return moved(current, move, this.options.texts, { changes: { not_before: 0 }, ...(move === 'resume' ? { event: 'resumed' } : {}) });
    });
    this.hintAtControl(id);
    return record;
  }

  fail(id: string, error: WorkError): Promise<R> {
    return this.update(id, (current) => (isHeld(current.work.state) ? null : this.failed(current, error)));
  }

  place(id: string): Place | null {
    const entry = this.options.records.find(id);
    if (entry?.work.state === 'validating_files') return { reason: 'files', place: null };
    if (entry?.work.state !== 'queued') return null;
    const { waiting, held } = this.inQueue(entry.work.queue);
    const place = admissionOrder(waiting, held).findIndex((one) => one.id === id) + 1;
    if (entry.work.not_before > Date.now()) return { reason: 'retry', place };
    return { reason: place + held.length <= this.slots(entry.work.queue) ? 'worker' : 'slots', place };
  }

  async heldBy(id: string, attempt: number): Promise<R> {
    const stored = await this.options.records.get(id);
    if (!stored) throw new ApiError('not_found', `There is no '${id}'.`);
    return requireHolder(stored.value, attempt);
  }

  async updateHeld(id: string, attempt: number, change: (record: R) => R | null): Promise<R> {
    return (await this.options.records.update(id, (current) => change(requireHolder(current, attempt)))).value;
  }

  kick(): void {
    this.reconciler.kick(true);
  }

  ready(): boolean {
    return this.options.records.ready() && this.leases.ready();
  }

  async drain(): Promise<void> {
    await this.reconciler.drain();
    this.leases.close();
  }

  handlers() {
    return {
      jobs_begin: (body: JobsRequest<'jobs_begin'>) => this.begin(body),
      jobs_claim: (body: JobsRequest<'jobs_claim'>) => this.claim(body),
      jobs_heartbeat: (body: JobsRequest<'jobs_heartbeat'>) => this.heartbeat(body),
      jobs_progress: (body: JobsRequest<'jobs_progress'>) => this.progress(body),
      jobs_complete: (body: JobsRequest<'jobs_complete'>) => this.complete(body),
      jobs_fail: (body: JobsRequest<'jobs_fail'>) => this.attemptFailed(body),
      jobs_yield: (body: JobsRequest<'jobs_yield'>) => this.yielded(body),
    };
  }

  /** One compare-and-set of a record, told to whoever follows when it moved. */
  async update(id: string, change: (record: R) => R | null): Promise<R> {
    let did = false;
    const { value } = await this.options.records.update(id, (current) => {
      const next = change(current);
      did = next !== null;
      return next;
    });
    if (did) this.changed(value);
    return value;
  }

  /** Work of a queue that waits and that is held. */
  inQueue(queue: string): { waiting: P[]; held: P[] } {
    const waiting: P[] = [];
    const held: P[] = [];
    for (const entry of this.options.records.all()) {
      const { work } = entry;
      if (work.queue !== queue || work.completing) continue;
      if (work.state === 'queued') waiting.push(entry);
      else if (isHeld(work.state)) held.push(entry);
    }
    return { waiting, held };
  }

  slots(queue: string): number {
    const { slots } = this.options;
    return typeof slots === 'function' ? slots(queue) : (slots[queue] ?? 1);
  }

  failed(record: R, error: WorkError): R {
    const changed = { ...record, ...this.options.onFail?.(record, error) };
    return moved(changed, 'fail', this.options.texts, { changes: { error } });
  }

  /** A lost or failed attempt; `onFail` applies when it was the last one allowed. */
  lost(record: R, loss: { step: number; event: 'lost' | 'retried'; error: WorkError }): R {
    const limits = { maxAttempts: this.maxAttempts, retryMs: this.options.retryMs ?? RETRY_MS };
    const next = afterLoss(record, { ...loss, ...limits }, this.options.texts);
    return next.work.error === null ? next : { ...next, ...this.options.onFail?.(next, next.work.error) };
  }

  /** Tells the holder to ask at once instead of at its next heartbeat. */
  hintAtControl(id: string): void {
    if (!this.bus.connection.isClosed()) this.bus.connection.publish(controlSubject(id));
  }

  private changed(record: R): void {
    try {
      this.options.onChange?.(record);
    } catch (error) {
      this.bus.logger.error({ err: error, id: record.id }, 'onChange failed');
    }
    this.reconciler.kick(false);
  }

  private async begin({ queue, instance, incarnation }: JobsRequest<'jobs_begin'>): Promise<Record<string, never>> {
    const gone = (worker: string | null) => worker?.startsWith(`${instance}/`) && !worker.startsWith(`${instance}/${incarnation}/`);
    const error = { code: 'training_failed', message: 'Its worker was restarted.', param: null };
    const { held, waiting } = this.inQueue(queue);
    for (const { id } of held)
      await this.update(id, (current) => {
        const { work } = current;
        if (!isHeld(work.state) || work.completing || !gone(work.worker)) return null;
        return this.lost(current, { step: this.leases.step(id, work.attempt), event: 'lost', error });
      });
    // A hint in the hands of the dead would come back much later: it is published anew.
    for (const { id } of waiting) await this.queue.remove(queue, id);
    this.reconciler.kick(false);
    return {};
  }

  private async claim(body: JobsRequest<'jobs_claim'>): Promise<JobsReply<'jobs_claim'>> {
    const { id } = body;
    // One after the other, so that two claims do not both take the last slot.
    const taking = this.claiming.then(() => this.take(body));
    this.claiming = taking.catch(() => undefined);
    let record: R;
    try {
      record = await taking;
    } catch (error) {
      if (error instanceof NothingToClaim || (error instanceof ApiError && error.code === 'not_found')) return { claim: null };
      throw error;
    }
    const { attempt, kind } = record.work;
    await this.leases.renew(id, attempt, 0);
    try {
      return { claim: { id, attempt, project: record.project, kind, spec: await this.options.onClaim(record, attempt) } };
    } catch (error) {
      const permanent = asPermanent(error);
      if (!permanent) throw error;
      await this.update(id, (current) => (isHolder(current, attempt) ? this.failed(current, permanent) : null));
      return { claim: null };
    }
  }

  private take({ id, queue, worker }: JobsRequest<'jobs_claim'>): Promise<R> {
    return this.update(id, (current) => {
      const { work } = current;
      // Asked again by the same worker that got no answer: the same attempt again.
      if (isHeld(work.state) && work.worker === worker && !work.completing) return null;
      // A hint may be in a worker's hands already when it is taken back for work that goes first: the slots decide here.
      const full = this.inQueue(queue).held.length >= this.slots(queue);
      if (work.state !== 'queued' || work.queue !== queue || full) throw new NothingToClaim();
      const first = work.started_at === null;
      const changes = { attempt: work.attempt + 1, worker, started_at: work.started_at ?? seconds() };
      return moved(current, 'claim', this.options.texts, { changes, ...(first ? { event: 'started' } : {}) });
    });
  }

  private async heartbeat({ id, attempt, step }: JobsRequest<'jobs_heartbeat'>): Promise<JobsReply<'jobs_heartbeat'>> {
    const record = (await this.options.records.get(id))?.value;
    if (!record || !isHolder(record, attempt)) return { answer: 'stop' };
    await this.leases.renew(id, attempt, step);
    return { answer: record.work.state === 'pausing' && !record.work.completing ? 'pause' : 'continue' };
  }

  private async progress({ id, attempt, rows }: JobsRequest<'jobs_progress'>): Promise<Record<string, never>> {
    await this.options.onProgress?.(await this.heldBy(id, attempt), rows);
    return {};
  }

  private async complete({ id, attempt, result }: JobsRequest<'jobs_complete'>): Promise<Record<string, never>> {
    await this.update(id, (current) => {
      const { work } = current;
      if (work.attempt === attempt && (work.completing || work.state === 'succeeded')) return null;
      requireHolder(current, attempt);
      return { ...current, work: { ...work, completing: { attempt, result } } };
    });
    return {};
  }

  private async attemptFailed({ id, attempt, error, retry }: JobsRequest<'jobs_fail'>): Promise<Record<string, never>> {
    const step = this.leases.step(id, attempt);
    await this.update(id, (current) => {
      if (current.work.attempt === attempt && current.work.state === 'failed') return null;
      requireOpen(current, attempt);
      return retry ? this.lost(current, { step, event: 'retried', error }) : this.failed(current, error);
    });
    return {};
  }

  private async yielded({ id, attempt }: JobsRequest<'jobs_yield'>): Promise<Record<string, never>> {
    await this.update(id, (current) => moved(requireOpen(current, attempt), 'release', this.options.texts, { event: 'drained' }));
    return {};
  }
}
