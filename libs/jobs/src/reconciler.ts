import { admissionOrder } from './admission.js';
import { asPermanent, isHolder } from './holding.js';
import { moved, type WorkRecord } from './life.js';
import type { Owner } from './owner.js';
import type { WorkEntry } from './owner-options.js';
import { isFinished, isHeld } from './state.js';

const RECONCILE_MS = 1000;
/** Queues in which nothing waits are looked at this seldom for hints that nobody needs. */
const IDLE_LOOKS = 30;
const PREPARE_AGAIN_MS = 500;
const MOST_BACKOFF_MS = 30_000;

interface Task {
  running: boolean;
  failures: number;
  /** Milliseconds since the epoch. */
  notBefore: number;
}

/** Looks over all live work, again and again and at each change, and does what is due. Every replica may: each step is idempotent. */
export class Reconciler<R extends WorkRecord, P extends WorkEntry> {
  private readonly tasks = new Map<string, Task>();
  private readonly inFlight = new Set<Promise<void>>();
  private readonly hinted = new Map<string, Set<string>>();
  private timer: NodeJS.Timeout | null = null;
  private current: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private looks = 0;
  private off: (() => void) | null = null;
  private readonly states = new Map<string, string>();

  constructor(private readonly owner: Owner<R, P>) {}

  start(): void {
    this.off = this.owner.options.records.onChange((id, entry) => {
      const state = entry ? JSON.stringify(entry.work) : undefined;
      if (this.states.get(id) === state) return;
      if (state === undefined || isFinished(entry!.work.state)) {
        this.states.delete(id);
        this.owner.leases.forget(id);
      } else this.states.set(id, state);
      this.kick(false);
    });
    this.kick(false);
  }

  /** @param impatient also what waits for its next try */
  kick(impatient: boolean): void {
    if (this.stopped) return;
    if (impatient) for (const task of this.tasks.values()) task.notBefore = 0;
    if (this.current) {
      this.again = true;
      return;
    }
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.current = this.look()
      .catch((error: unknown) => this.owner.bus.logger.warn({ err: error }, 'work could not be looked over'))
      .finally(() => {
        this.current = null;
        if (this.stopped) return;
        if (this.again) {
          this.again = false;
          this.kick(false);
        } else this.timer = setTimeout(() => this.kick(false), this.owner.options.reconcileMs ?? RECONCILE_MS);
      });
  }

  async drain(): Promise<void> {
    this.stopped = true;
    this.off?.();
    if (this.timer) clearTimeout(this.timer);
    await this.current;
    await Promise.allSettled([...this.inFlight]);
  }

  private async look(): Promise<void> {
    this.owner.leases.look();
    if (!this.owner.ready()) return;
    const live = new Set<string>();
    for (const { id, work } of this.owner.options.records.all()) {
      if (isFinished(work.state)) continue;
      live.add(id);
      if (work.state === 'validating_files') this.task(id, () => this.prepare(id));
      else if (work.completing) this.task(id, () => this.finish(id));
      else if (isHeld(work.state) && this.owner.leases.lapsed(id, work.attempt)) this.task(id, () => this.expire(id, work.attempt));
    }
    for (const [id, task] of this.tasks) if (!live.has(id) && !task.running) this.tasks.delete(id);
    const mayRest = this.looks++ % IDLE_LOOKS !== 0;
    for (const queue of this.owner.options.queues) await this.admit(queue, mayRest);
  }

  /** Publishes what fits the free slots, and takes back what should not be published. */
  private async admit(queue: string, mayRest: boolean): Promise<void> {
    const { waiting, held } = this.owner.inQueue(queue);
    if (mayRest && waiting.length === 0 && (this.hinted.get(queue)?.size ?? 0) === 0) return;
    const free = Math.max(0, this.owner.slots(queue) - held.length);
    const due = waiting.filter(({ work }) => work.not_before <= Date.now());
    const admitted = new Set(
      admissionOrder(due, held)
        .slice(0, free)
        .map(({ id }) => id),
    );
    const hinted = await this.hintedIn(queue);
    this.hinted.set(queue, hinted);
    for (const id of hinted) if (!admitted.has(id)) await this.owner.queue.remove(queue, id);
    for (const id of admitted) if (!hinted.has(id)) await this.owner.queue.publish(queue, id);
  }

  private async hintedIn(queue: string): Promise<Set<string>> {
    try {
      return await this.owner.queue.hinted(queue);
    } catch {
      // The store may have been lost: hints are rebuilt from the records.
      await this.owner.queue.ensure(this.owner.options.queues);
      return this.owner.queue.hinted(queue);
    }
  }

  /** One task at a time for a piece of work, with a growing pause after failures. The task returns the pause before it runs again. */
  private task(id: string, run: () => Promise<number>): void {
    const task = this.tasks.get(id) ?? { running: false, failures: 0, notBefore: 0 };
    this.tasks.set(id, task);
    if (task.running || task.notBefore > Date.now()) return;
    task.running = true;
    const running = run()
      .then((pauseMs) => {
        task.failures = 0;
        task.notBefore = Date.now() + pauseMs;
      })
      .catch((error: unknown) => {
        task.notBefore = Date.now() + Math.min(MOST_BACKOFF_MS, 250 * 2 ** task.failures++);
        this.owner.bus.logger.warn({ err: error, id }, 'work will be taken up again');
      })
      .finally(() => {
        task.running = false;
        this.inFlight.delete(running);
        const pause = task.notBefore - Date.now();
        if (pause <= 0) this.kick(false);
        else if (pause < (this.owner.options.reconcileMs ?? RECONCILE_MS)) setTimeout(() => this.kick(false), pause).unref();
      });
    this.inFlight.add(running);
  }

  private async prepare(id: string): Promise<number> {
    const { records, prepare, texts } = this.owner.options;
    const record = (await records.get(id))?.value;
    if (record?.work.state !== 'validating_files' || !prepare) return 0;
    try {
      const change = await prepare(record);
      if (change === null) return PREPARE_AGAIN_MS;
      await this.owner.update(id, (current) => {
        if (current.work.state !== 'validating_files') return null;
        return moved({ ...current, ...change, work: current.work }, 'prepare', texts, { changes: { prepared: true }, event: 'queued' });
      });
    } catch (error) {
      const permanent = asPermanent(error);
      if (!permanent) throw error;
      await this.owner.update(id, (current) => (current.work.state === 'validating_files' ? this.owner.failed(current, permanent) : null));
    }
    return 0;
  }

  /** An accepted completion: effects first, then `succeeded`. */
  private async finish(id: string): Promise<number> {
    const { records, onComplete, texts } = this.owner.options;
    const record = (await records.get(id))?.value;
    const completing = record?.work.completing;
    if (!record || !completing) return 0;
    const { attempt, result } = completing;
    const stillDue = (current: R) => isHolder(current, attempt) && current.work.completing !== null;
    try {
      const change = await onComplete(record, attempt, result);
      await this.owner.update(id, (current) =>
        stillDue(current) ? moved({ ...current, ...change, work: current.work }, 'succeed', texts) : null,
      );
    } catch (error) {
      const permanent = asPermanent(error);
      if (!permanent) throw error;
      await this.owner.update(id, (current) => (stillDue(current) ? this.owner.failed(current, permanent) : null));
    }
    return 0;
  }

  private async expire(id: string, attempt: number): Promise<number> {
    if (await this.owner.leases.renewedUnseen(id)) return 0;
    const step = this.owner.leases.step(id, attempt);
    const error = { code: 'training_failed', message: 'Its worker fell silent.', param: null };
    await this.owner.update(id, (current) => {
      if (!isHolder(current, attempt) || current.work.completing) return null;
      return this.owner.lost(current, { step, event: 'lost', error });
    });
    this.owner.bus.logger.warn({ id, attempt, step }, 'an attempt was lost');
    // Should it live after all, it hears at once that it lost the work.
    this.owner.hintAtControl(id);
    return 0;
  }
}
