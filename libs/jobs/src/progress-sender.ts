const WAIT_MS = 200;
/** A message carries at most 1 MiB; half of it leaves room for whatever wraps the rows. */
const BATCH_BYTES = 512 * 1024;

/** Gathers rows for a moment and sends them in order, one message at a time. */
export class ProgressSender {
  private rows: unknown[] = [];
  private sending: Promise<void> = Promise.resolve();
  private scheduled: Promise<void> | null = null;

  constructor(
    private readonly deliver: (rows: unknown[]) => Promise<void>,
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves when these rows have arrived. */
  send(rows: unknown[]): Promise<void> {
    this.rows.push(...rows);
    this.scheduled ??= new Promise<void>((resolve) => setTimeout(resolve, WAIT_MS)).then(() => this.flush());
    const arrival = this.scheduled;
    // Whoever does not wait for the arrival learns of a stop by the signal.
    arrival.catch(() => undefined);
    return arrival;
  }

  flush(): Promise<void> {
    this.scheduled = null;
    this.sending = this.sending.then(() => this.sendAll());
    this.sending.catch(() => undefined);
    return this.sending;
  }

  private async sendAll(): Promise<void> {
    while (this.rows.length > 0) {
      this.signal.throwIfAborted();
      let bytes = 0;
      let count = 0;
      for (; count < this.rows.length && (count === 0 || bytes < BATCH_BYTES); count++) bytes += JSON.stringify(this.rows[count]).length;
      const batch = this.rows.slice(0, count);
      await this.deliver(batch);
      this.rows.splice(0, count);
    }
  }
}
