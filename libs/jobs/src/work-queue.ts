import type { Bus } from '@tunefleet/messaging';
import { decodeKey, encodeKey } from '@tunefleet/records';
import { AckPolicy, DiscardPolicy, type JetStreamManager, NatsError, RetentionPolicy, StorageType } from 'nats';
import type { WorkService } from './protocol.js';

/** "maximum messages per subject exceeded": a hint for that work is queued or not yet acked. */
const MAX_MESSAGES_PER_SUBJECT = 10077;
const TIMEOUT_MS = 2000;
/** A hint that a worker took and did not ack (it died) comes back after this. */
const ACK_WAIT_MS = 10_000;
const NANOS = 1_000_000;

export const streamName = (service: WorkService): string => `WORK-${service}`;
export const subjectOf = (service: WorkService, queue: string, id: string): string => `work.${service}.${queue}.${encodeKey(id)}`;
export const controlSubject = (id: string): string => `control.${encodeKey(id)}`;
export const idOfSubject = (subject: string): string => decodeKey(subject.split('.')[3]!);

/** Hints that work exists: at most one for each piece of work, as long as it is queued or unacked. The truth is in the records. */
export class WorkQueue {
  private constructor(
    private readonly bus: Bus,
    private readonly service: WorkService,
    private readonly jsm: JetStreamManager,
  ) {}

  static async open(bus: Bus, service: WorkService): Promise<WorkQueue> {
    return new WorkQueue(bus, service, await bus.connection.jetstreamManager({ timeout: TIMEOUT_MS, checkAPI: false }));
  }

  /** Stream and one durable consumer a queue, made where they are not there. */
  async ensure(queues: readonly string[]): Promise<void> {
    const stream = streamName(this.service);
    await this.jsm.streams.add({
      name: stream,
      subjects: [`work.${this.service}.>`],
      storage: StorageType.File,
      num_replicas: this.bus.replicas,
      retention: RetentionPolicy.Workqueue,
      // A second hint is refused as long as the first is there. No message ids: their window would swallow a hint sent again after a pause.
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
    });
    for (const queue of queues)
      await this.jsm.consumers.add(stream, {
        durable_name: queue,
        ack_policy: AckPolicy.Explicit,
        ack_wait: ACK_WAIT_MS * NANOS,
        filter_subject: `work.${this.service}.${queue}.*`,
      });
  }

  /** False: there is one already. */
  async publish(queue: string, id: string): Promise<boolean> {
    try {
      await this.bus.connection.jetstream({ timeout: TIMEOUT_MS }).publish(subjectOf(this.service, queue, id));
      return true;
    } catch (error) {
      if (error instanceof NatsError && error.api_error?.err_code === MAX_MESSAGES_PER_SUBJECT) return false;
      throw error;
    }
  }

  async remove(queue: string, id: string): Promise<void> {
    await this.jsm.streams.purge(streamName(this.service), { filter: subjectOf(this.service, queue, id) });
  }

  /** Ids of the work that has a hint, queued or unacked. */
  async hinted(queue: string): Promise<Set<string>> {
    const info = await this.jsm.streams.info(streamName(this.service), { subjects_filter: `work.${this.service}.${queue}.*` });
    return new Set(Object.keys(info.state.subjects ?? {}).map(idOfSubject));
  }
}
