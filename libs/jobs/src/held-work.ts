import { ApiError } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import type { Subscription } from 'nats';
import { ProgressSender } from './progress-sender.js';
import { ask, type JobsRequest, type WorkService } from './protocol.js';
import { retrying } from './retrying.js';
import { controlSubject } from './work-queue.js';
import type { Claim, Outcome, Wish, WorkContext } from './worker-options.js';

const STEP_MS = 1000;

/** Work that this worker holds: heartbeats beside the run, the wishes they bring, and the report of its end. */
export class HeldWork implements WorkContext {
  private readonly stopping = new AbortController();
  private readonly callbacks = new Set<(wish: Wish) => void>();
  private readonly sender: ProgressSender;
  private readonly control: Subscription;
  private readonly timer: NodeJS.Timeout;
  private current: Wish = 'continue';
  private latestStep = 0;
  private lastBeat = Number.NEGATIVE_INFINITY;
  private beating = false;
  private beatAgain = false;
  private ended = false;

  constructor(
    private readonly bus: Bus,
    private readonly owner: WorkService,
    private readonly queue: string,
    readonly claim: Claim,
    heartbeatMs: number,
  ) {
    this.sender = new ProgressSender(async (rows) => {
      await this.report('jobs_progress', { ...this.holder(), rows });
    }, this.signal);
    this.control = bus.connection.subscribe(controlSubject(claim.id), { callback: () => this.beat() });
    this.timer = setInterval(() => this.beat(), heartbeatMs);
    // Whatever was wished between the claim and the subscription.
    this.beat();
  }

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  wish(): Wish {
    return this.current;
  }

  onWish(callback: (wish: Wish) => void): void {
    this.callbacks.add(callback);
  }

  progress(rows: unknown[]): Promise<void> {
    return this.sender.send(rows);
  }

  step(step: number): void {
    this.latestStep = step;
    // Known a second later at most: a worker that dies often and yet gets further each time is no futile one.
    if (performance.now() - this.lastBeat > STEP_MS) this.beat();
  }

  drain(): void {
    if (this.current !== 'stop') this.wished('drain');
  }

  /** Runs the work and reports how it ended, for as long as that takes. Null: it was stopped, cancelled or lost. */
  async run(run: (claim: Claim, context: WorkContext) => Promise<Outcome>): Promise<Outcome | null> {
    try {
      const outcome = await this.outcomeOf(run);
      return outcome !== null && (await this.reportEnd(outcome)) ? outcome : null;
    } finally {
      this.ended = true;
      clearInterval(this.timer);
      this.control.unsubscribe();
    }
  }

  private async outcomeOf(run: (claim: Claim, context: WorkContext) => Promise<Outcome>): Promise<Outcome | null> {
    try {
      const outcome = await run(this.claim, this);
      await this.sender.flush();
      return this.signal.aborted ? null : outcome;
    } catch (error) {
      if (this.signal.aborted) return null;
      this.bus.logger.error({ err: error, id: this.claim.id, attempt: this.claim.attempt }, 'work threw');
      return { type: 'failed', error: { code: 'internal_error', message: 'The work failed unexpectedly.', param: null }, retry: true };
    }
  }

  private async reportEnd(outcome: Outcome): Promise<boolean> {
    try {
      if (outcome.type === 'completed') await this.report('jobs_complete', { ...this.holder(), result: outcome.result });
      else if (outcome.type === 'failed') await this.report('jobs_fail', { ...this.holder(), error: outcome.error, retry: outcome.retry });
      else await this.report('jobs_yield', { ...this.holder(), reason: outcome.type });
      return true;
    } catch (error) {
      this.bus.logger.warn(
        { err: error, id: this.claim.id, attempt: this.claim.attempt, outcome: outcome.type },
        'the end of an attempt does not count',
      );
      return false;
    }
  }

  private holder() {
    return { queue: this.queue, id: this.claim.id, attempt: this.claim.attempt };
  }

  /** Until the owner has answered, through outages; refusals are thrown. */
  private async report<M extends 'jobs_progress' | 'jobs_complete' | 'jobs_fail' | 'jobs_yield'>(
    method: M,
    body: JobsRequest<M>,
  ): Promise<void> {
    try {
      await retrying(() => ask(this.bus, this.owner, method, body), this.signal);
    } catch (error) {
      // The owner's word that this attempt does not hold the work: as good as the answer `stop`.
      if (error instanceof ApiError && (error.code === 'invalid_state' || error.code === 'not_found')) this.stop();
      throw error;
    }
  }

  /** One heartbeat at a time. No answer is no loss: only `stop` ends the work. */
  private beat(): void {
    if (this.ended) return;
    if (this.beating) {
      this.beatAgain = true;
      return;
    }
    this.beating = true;
    this.lastBeat = performance.now();
    ask(this.bus, this.owner, 'jobs_heartbeat', { ...this.holder(), step: this.latestStep })
      .then(({ answer }) => {
        if (answer === 'stop') this.stop();
        else if (answer === 'pause' && this.current === 'continue') this.wished('pause');
      })
      .catch((error: unknown) => this.bus.logger.debug({ err: error, id: this.claim.id }, 'heartbeat not answered'))
      .finally(() => {
        this.beating = false;
        if (!this.beatAgain) return;
        this.beatAgain = false;
        this.beat();
      });
  }

  private stop(): void {
    if (this.ended || this.signal.aborted) return;
    this.wished('stop');
    this.stopping.abort(new ApiError('invalid_state', `'${this.claim.id}' is not held any more.`));
  }

  private wished(wish: Wish): void {
    if (this.current === wish) return;
    this.current = wish;
    for (const callback of this.callbacks) {
      try {
        callback(wish);
      } catch (error) {
        this.bus.logger.error({ err: error, id: this.claim.id }, 'a wish could not be passed on');
      }
    }
  }
}
