import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { HeldWork } from './held-work.js';
import { HintSource } from './hint-source.js';
import { ask } from './protocol.js';
import { retrying } from './retrying.js';
import type { Claim, Outcome, Worker, WorkerOptions } from './worker-options.js';

const HEARTBEAT_MS = 5000;
/** A claim signs URLs and may ask other services. */
const CLAIM_MS = 15_000;
const CLAIM_TRIES = 4;

/** Takes hints from a queue, claims what they name and runs it. Survives restarts of NATS and of the owner. */
export function startWorker(bus: Bus, options: WorkerOptions): Worker {
  const worker = new QueueWorker(bus, options);
  worker.start();
  return worker;
}

class QueueWorker implements Worker {
  readonly stopped: Promise<Outcome | null>;
  private markStopped: (outcome: Outcome | null) => void = () => undefined;
  private readonly held = new Set<HeldWork>();
  private readonly draining = new AbortController();
  private readonly incarnation = randomBytes(6).toString('base64url');

  constructor(
    private readonly bus: Bus,
    private readonly options: WorkerOptions,
  ) {
    this.stopped = new Promise((resolve) => {
      this.markStopped = resolve;
    });
  }

  start(): void {
    const { only, concurrency = 1 } = this.options;
    void this.begin();
    const loops =
      only === undefined ? Array.from({ length: concurrency }, () => this.takeHints()) : [this.claimAndRun(only, () => undefined)];
    Promise.all(loops).then(
      (outcomes) => this.markStopped(outcomes[0] ?? null),
      (error: unknown) => {
        this.bus.logger.error({ err: error }, 'worker ended');
        this.markStopped(null);
      },
    );
  }

  running(): string[] {
    return [...this.held].map(({ claim }) => claim.id);
  }

  async drain(): Promise<void> {
    this.draining.abort();
    for (const held of this.held) held.drain();
    await this.stopped;
  }

  /** Lets the owner take back at once what the process before this one held, instead of waiting for its lease to lapse. */
  private async begin(): Promise<void> {
    const { instance } = this.bus;
    if (instance === undefined) return;
    const { owner, queue } = this.options;
    const body = { queue, instance, incarnation: this.incarnation };
    await retrying(() => ask(this.bus, owner, 'jobs_begin', body), this.draining.signal).catch((error: unknown) =>
      this.bus.logger.debug({ err: error, queue }, 'what was held before is left to its lease'),
    );
  }

  private async takeHints(): Promise<null> {
    const hints = new HintSource(this.bus, this.options.owner, this.options.queue, this.draining.signal);
    while (!this.draining.signal.aborted) {
      const hint = await hints.next();
      if (!hint) continue;
      try {
        await this.claimAndRun(hint.id, hint.ack);
      } catch (error) {
        this.bus.logger.warn({ err: error, id: hint.id }, 'work could not be claimed');
        hint.nak();
      }
    }
    return null;
  }

  private async claimAndRun(id: string, ack: () => void): Promise<Outcome | null> {
    const claim = await this.claim(id);
    ack();
    if (claim === null) return null;
    const { owner, queue, heartbeatMs = HEARTBEAT_MS } = this.options;
    const held = new HeldWork(this.bus, owner, queue, claim, heartbeatMs);
    this.held.add(held);
    if (this.draining.signal.aborted) held.drain();
    try {
      return await held.run(this.options.run);
    } finally {
      this.held.delete(held);
    }
  }

  /** Asks again with the same token when no answer came: the owner then answers the same attempt. */
  private async claim(id: string): Promise<Claim | null> {
    const { owner, queue, only } = this.options;
    const worker = `${this.bus.instance ?? process.pid}/${this.incarnation}/${randomBytes(9).toString('base64url')}`;
    for (let tries = 1; ; tries++) {
      try {
        return (await ask(this.bus, owner, 'jobs_claim', { queue, id, worker }, CLAIM_MS)).claim;
      } catch (error) {
        const hopeless = error instanceof ApiError && error.status < 500;
        if (hopeless || this.draining.signal.aborted || (only === undefined && tries >= CLAIM_TRIES)) throw error;
        await sleep(Math.min(250 * 2 ** tries, 5000));
      }
    }
  }
}
