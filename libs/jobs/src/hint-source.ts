import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@tunefleet/messaging';
import type { Consumer, ConsumerMessages } from 'nats';
import type { WorkService } from './protocol.js';
import { idOfSubject, streamName } from './work-queue.js';

export interface Hint {
  id: string;
  ack(): void;
  /** Let it come again after a while. */
  nak(): void;
}

const PULL_MS = 30_000;
const RETRY_MS = 500;
const NAK_MS = 2000;

/** One hint at a time from a queue's durable consumer: none is held back from other workers while this one is busy. */
export class HintSource {
  private consumer: Consumer | null = null;

  constructor(
    private readonly bus: Bus,
    private readonly service: WorkService,
    private readonly queue: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Null when none came in time, NATS came back (an open pull is lost with the server), or the signal aborted. */
  async next(): Promise<Hint | null> {
    try {
      this.consumer ??= await this.bus.connection.jetstream({ timeout: 2000 }).consumers.get(streamName(this.service), this.queue);
      return await this.pull(this.consumer);
    } catch (error) {
      this.consumer = null;
      this.bus.logger.debug({ err: error, queue: this.queue }, 'no hints yet');
      await sleep(RETRY_MS, undefined, { signal: this.signal }).catch(() => undefined);
      return null;
    }
  }

  private async pull(consumer: Consumer): Promise<Hint | null> {
    if (this.signal.aborted) return null;
    const messages: ConsumerMessages = await consumer.fetch({ max_messages: 1, expires: PULL_MS });
    const end = () => messages.stop();
    const off = this.bus.onReconnect(end);
    this.signal.addEventListener('abort', end, { once: true });
    try {
      for await (const message of messages) {
        if (this.signal.aborted) {
          message.nak();
          return null;
        }
        return { id: idOfSubject(message.subject), ack: () => message.ack(), nak: () => message.nak(NAK_MS) };
      }
      return null;
    } finally {
      off();
      this.signal.removeEventListener('abort', end);
    }
  }
}
