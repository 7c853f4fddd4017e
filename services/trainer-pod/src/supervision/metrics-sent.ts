import type { MetricsRow } from '@tunefleet/contracts';
import type { WorkContext } from '@tunefleet/jobs';

/** Rows on their way to the trainer (`libs/jobs` gathers, orders and repeats them). */
export class MetricsSent {
  #last: Promise<void> = Promise.resolve();

  constructor(private readonly context: Pick<WorkContext, 'progress'>) {}

  send(row: MetricsRow): void {
    this.#last = this.context.progress([row]);
    this.#last.catch(() => undefined); // thrown by stored()
  }

  /** Resolves when every row sent so far has arrived; rejects when the work was stopped. */
  stored(): Promise<void> {
    return this.#last;
  }
}
